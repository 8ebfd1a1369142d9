# Reading and augmentation as in the first author's code: Pillow's antialiased resize, no EXIF
# rotation, a hole in every image, no flip. The hole's colour and RandAugment are ours.
authors_train_pipeline = [
    dict(type='mmmsf.LoadImage', ignore_orientation=True),
    dict(type='Resize', scale=(448, 448), interpolation='bilinear', backend='pillow'),
    dict(type='mmmsf.Cutout', shape=224, pad_val=(104, 116, 124), prob=1.0),
    dict(
        type='mmmsf.RandAugment', policies='timm_increasing', num_policies=2, total_level=10,
        magnitude_level=9, magnitude_std=0.5, hparams=dict(pad_val=[128, 128, 128])),
    dict(type='mmmsf.PackInputs'),
]
authors_test_pipeline = [
    dict(type='mmmsf.LoadImage', ignore_orientation=True),
    dict(type='Resize', scale=(448, 448), interpolation='bilinear', backend='pillow'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
