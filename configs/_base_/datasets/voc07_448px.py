# PASCAL VOC 2007: 5,011 trainval and 4,952 test images, 20 classes.
_base_ = './pipelines_448px.py'

data_root = 'data/VOCdevkit/VOC2007'
data_preprocessor = dict(num_classes=20)

# A class with only difficult objects in an image: 'ignore' excludes it from loss and metric, as VOC's
# own evaluation does; 'negative' compares with the authors' code.
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmmsf.VocMultiLabel', data_root=data_root, split='trainval', difficult='ignore',
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmsf.VocMultiLabel', data_root=data_root, split='test', difficult='ignore',
        pipeline=_base_.test_pipeline, test_mode=True))
test_dataloader = val_dataloader

# ap_flavour='voc11' gives the 11-point AP of VOC 2007's own evaluation, 'voc' that of VOC 2010
# and later; the default is the area under the curve.
val_evaluator = dict(type='mmmsf.MultiLabelMetric', thr=0.5)
test_evaluator = val_evaluator
