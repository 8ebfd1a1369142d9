# Reading, augmentation and normalisation of COCO and VOC photographs at 448 px.
image_size = 448

data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)

train_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(image_size, image_size), interpolation='bilinear'),
    dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmmsf.Cutout', shape=image_size // 2, pad_val=(104, 116, 124), prob=0.5),
    dict(
        type='mmmsf.RandAugment', policies='timm_increasing', num_policies=2, total_level=10,
        magnitude_level=9, magnitude_std=0.5, hparams=dict(pad_val=[128, 128, 128])),
    dict(type='mmmsf.PackInputs'),
]
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(image_size, image_size), interpolation='bilinear'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
