# As msf-ours_efficientnet-lite0_1xb16-12e_voc-mini-224px.py, with larger images: twice the time a step.
_base_ = [
    '../_base_/models/msf-ours_efficientnet-lite0.py',
    '../_base_/datasets/voc_mini_320px.py',
    '../_base_/schedules/adamw_onecycle_12e_efficientnet-lite0.py',
    '../_base_/ema_runtime_voc-mini.py',
]

model = dict(head=dict(num_classes=20))
# A random crop of 320 px shows things larger than the whole image at 320 px does.
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(448, 448), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
train_dataloader = dict(batch_size=16)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
