# As msf-ours_efficientnet-lite0_1xb16-12e_coco-small-224px.py, with larger images: twice the time a step.
_base_ = [
    '../_base_/models/msf-ours_efficientnet-lite0.py',
    '../_base_/datasets/coco-small_224px.py',
    '../_base_/schedules/adamw_onecycle_12e_efficientnet-lite0.py',
    '../_base_/ema_runtime_voc-mini.py',
]

model = dict(head=dict(num_classes=80))

train_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(
        type='RandomResizedCrop', scale=(320, 320), crop_ratio_range=(0.35, 1.0),
        interpolation='bicubic'),
    dict(type='mmmsf.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmmsf.PackInputs'),
]
# A random crop of 320 px shows things larger than the whole image at 320 px does.
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(448, 448), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
