# A small set of photographs in VOC's layout, 20 classes, for backbones trained with mean 0.498,
# deviation 0.502 and bicubic resizing (EfficientNet-Lite). Another folder:
# --cfg-options {train,val,test}_dataloader.dataset.data_root=FOLDER
_base_ = './pipelines-photographs.py'

data_root = 'data/voc_mini/VOCdevkit/VOC2012'
data_preprocessor = dict(
    num_classes=20, mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0], to_rgb=True)

train_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(224, 224), interpolation='bicubic'),
    dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmmsf.Cutout', shape=112, pad_val=(127, 127, 127), prob=0.5),
    dict(
        type='mmmsf.RandAugment', policies='timm_increasing', num_policies=2, total_level=10,
        magnitude_level=9, magnitude_std=0.5, hparams=dict(pad_val=[128, 128, 128])),
    dict(type='mmmsf.PackInputs'),
]
test_pipeline = _base_.whole_224px

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmmsf.VocMultiLabel', data_root=data_root, split='train', difficult='ignore',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmsf.VocMultiLabel', data_root=data_root, split='val', difficult='ignore',
        pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader

# 12 of the 20 classes have at least 10 positives in val; the means leave out the others.
val_evaluator = dict(type='mmmsf.MultiLabelMetric', thr=0.5, min_positives=10)
test_evaluator = val_evaluator
