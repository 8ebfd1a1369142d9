# Corel5k: 4,500 + 500 photographs of 192 x 128 px with 374 words, as two tables of paths and labels, for
# backbones trained with mean 0.498, deviation 0.502 and bicubic resizing (EfficientNet-Lite). Another folder:
# --cfg-options {train,val,test}_dataloader.dataset.data_root=FOLDER
data_root = 'data/corel5k'
classes = 'data/corel5k/classes.txt'
data_preprocessor = dict(
    num_classes=374, mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0], to_rgb=True)

train_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(
        type='RandomResizedCrop', scale=(224, 224), crop_ratio_range=(0.35, 1.0),
        interpolation='bicubic'),
    dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmmsf.PackInputs'),
]
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(224, 224), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmmsf.CsvMultiLabel', data_root=data_root, ann_file='train.csv', classes=classes,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmsf.CsvMultiLabel', data_root=data_root, ann_file='val.csv', classes=classes,
        pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader

# 81 of the 374 words have at least 5 positives in val; the means leave out the others.
val_evaluator = dict(type='mmmsf.MultiLabelMetric', thr=0.5, min_positives=5)
test_evaluator = val_evaluator
