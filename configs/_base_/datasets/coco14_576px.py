# COCO 2014 at 576 px.
_base_ = './coco14_448px.py'

image_size = 576
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

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
