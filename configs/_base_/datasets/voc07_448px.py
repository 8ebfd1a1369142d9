# PASCAL VOC 2007: 5,011 trainval and 4,952 test images, 20 classes.
data_root = 'data/VOCdevkit/VOC2007'
image_size = 448

data_preprocessor = dict(
    num_classes=20, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)

train_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(image_size, image_size), interpolation='bilinear'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='Cutout', shape=image_size // 2, pad_val=(104, 116, 124), prob=0.5),
    dict(
        type='RandAugment', policies='timm_increasing', num_policies=2, total_level=10,
        magnitude_level=9, magnitude_std=0.5),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(image_size, image_size), interpolation='bilinear'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]

# A class that an image has only as difficult objects: 'ignore' leaves it out of loss and metric,
# as VOC's own evaluation does; 'negative' is for comparison with the authors' code.
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmmsf.VocMultiLabel', data_root=data_root, split='trainval', difficult='ignore',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmsf.VocMultiLabel', data_root=data_root, split='test', difficult='ignore',
        pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader

# ap_flavour='voc11' gives the 11-point AP of VOC 2007's own evaluation, 'voc' that of VOC 2010
# and later; the default is the area under the curve.
val_evaluator = dict(type='mmmsf.MultiLabelMetric', thr=0.5)
test_evaluator = val_evaluator
