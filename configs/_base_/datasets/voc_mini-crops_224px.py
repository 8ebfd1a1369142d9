# As voc_mini_224px.py, with random crops as the only augmentation beside the flip, and whole images of 320 px.
_base_ = './voc_mini_224px.py'

train_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(
        type='RandomResizedCrop', scale=(224, 224), crop_ratio_range=(0.35, 1.0),
        interpolation='bicubic'),
    dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmmsf.PackInputs'),
]
# A random crop of 224 px shows things larger than the whole image at 224 px does.
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(320, 320), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
