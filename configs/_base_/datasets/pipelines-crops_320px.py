# Random crops of 320 px, and whole images of 448 px: a crop shows things larger than a whole image of its size does.
# The names are not those of the data sets' own pipelines, so a recipe can have both among its bases.
crops_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(
        type='RandomResizedCrop', scale=(320, 320), crop_ratio_range=(0.35, 1.0),
        interpolation='bicubic'),
    dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmmsf.PackInputs'),
]
whole_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(448, 448), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
