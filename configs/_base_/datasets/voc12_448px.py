# PASCAL VOC 2012: 5,717 training and 5,823 validation images, 20 classes.
# For the evaluation server: train on split='trainval' (11,540 images), test with
# dict(data_root=data_root, split='test', labelled=False) and tools/submission/voc12.py.
_base_ = './pipelines_448px.py'

data_root = 'data/VOCdevkit/VOC2012'
data_preprocessor = dict(num_classes=20)

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmmsf.VocMultiLabel', data_root=data_root, split='train', difficult='ignore',
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmsf.VocMultiLabel', data_root=data_root, split='val', difficult='ignore',
        pipeline=_base_.test_pipeline, test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmmsf.MultiLabelMetric', thr=0.5)
test_evaluator = val_evaluator
