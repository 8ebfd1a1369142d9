# COCO 2014: 82,783 training and 40,504 validation images, 80 classes.
_base_ = './pipelines_448px.py'

data_root = 'data/coco2014/'
data_preprocessor = dict(num_classes=80)

train_dataloader = dict(
    batch_size=21,
    num_workers=8,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmmsf.CocoMultiLabel', data_root=data_root,
        ann_file='annotations/instances_train2014.json',
        data_prefix=dict(img_path='train2014'), pipeline=_base_.train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmsf.CocoMultiLabel', data_root=data_root,
        ann_file='annotations/instances_val2014.json',
        data_prefix=dict(img_path='val2014'), pipeline=_base_.test_pipeline, test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmmsf.MultiLabelMetric', thr=0.5)
test_evaluator = val_evaluator
