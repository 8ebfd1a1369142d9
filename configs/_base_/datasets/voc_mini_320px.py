# As voc_mini_224px.py, at 320 px and with random crops as the only augmentation beside the flip.
_base_ = ['./voc_mini_224px.py', './pipelines-crops_320px.py']

train_pipeline = _base_.crops_pipeline
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(320, 320), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
