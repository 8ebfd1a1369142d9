# For backbones of bicubic resizing: random crops for training, and whole images. A crop shows things larger than a whole
# image of its size does, so crops of 224 px go with whole images of 320 px, and crops of 320 px with those of 448 px.
crops_224px = [
    dict(type='mmmsf.LoadImage'),
    dict(
        type='RandomResizedCrop', scale=(224, 224), crop_ratio_range=(0.35, 1.0),
        interpolation='bicubic'),
    dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmmsf.PackInputs'),
]
crops_320px = [
    dict(type='mmmsf.LoadImage'),
    dict(
        type='RandomResizedCrop', scale=(320, 320), crop_ratio_range=(0.35, 1.0),
        interpolation='bicubic'),
    dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmmsf.PackInputs'),
]
whole_224px = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(224, 224), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
whole_320px = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(320, 320), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
whole_448px = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(448, 448), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
