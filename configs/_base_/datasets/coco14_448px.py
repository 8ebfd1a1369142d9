# COCO 2014: 82,783 training and 40,504 validation images, 80 classes.
data_root = 'data/coco2014/'
image_size = 448

data_preprocessor = dict(
    num_classes=80, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)

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

train_dataloader = dict(
    batch_size=21,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmmsf.CocoMultiLabel', data_root=data_root,
        ann_file='annotations/instances_train2014.json',
        data_prefix=dict(img_path='train2014'), pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmsf.CocoMultiLabel', data_root=data_root,
        ann_file='annotations/instances_val2014.json',
        data_prefix=dict(img_path='val2014'), pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmmsf.MultiLabelMetric', thr=0.5)
test_evaluator = val_evaluator
