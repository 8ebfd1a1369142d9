# As voc_mini_224px.py, with random crops as the only augmentation beside the flip.
_base_ = './voc_mini_224px.py'

train_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(
        type='RandomResizedCrop', scale=(224, 224), crop_ratio_range=(0.35, 1.0),
        interpolation='bicubic'),
    dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmmsf.PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
