# Handwritten digits of many sizes on coloured backgrounds, rendered on first use.
data_root = 'data/scaled_digits'

train_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='RandomCrop', crop_size=64, padding=4, padding_mode='edge'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmmsf.ScaledDigits', data_root=data_root, split='train', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=100,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmsf.ScaledDigits', data_root=data_root, split='val', pipeline=test_pipeline,
        test_mode=True))
test_dataloader = val_dataloader

# Size bounds of 16 and 32 px: with COCO's (32 and 96 px) no digit of a 64-px image is large.
val_evaluator = dict(type='mmmsf.MultiLabelMetric', size_thresholds=(16.0**2, 32.0**2))
test_evaluator = val_evaluator
