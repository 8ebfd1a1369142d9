# The linear head on a trained EfficientNet-Lite0: its stages of strides 2 to 8 stay as they are, each later one has a
# rate of its own, lower towards the input. Float32: bfloat16's backward pass of depthwise convolutions is slower on a CPU.
# configs/evidence/trained.yml has the other heads and recipes.
_base_ = './linear_frozen-lite0_8e_voc-mini-320px.py'

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
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    backbone=dict(frozen=('conv_stem', 'bn1', 'blocks.0', 'blocks.1', 'blocks.2')))

max_epochs = 12
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2),
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(
        custom_keys={
            'head': dict(lr_mult=3.0),  # linear
            'conv_head': dict(lr_mult=0.3), 'bn2': dict(lr_mult=0.3),
            'blocks.6': dict(lr_mult=0.3), 'blocks.5': dict(lr_mult=0.2),
            'blocks.4': dict(lr_mult=0.13), 'blocks.3': dict(lr_mult=0.09)}))
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
default_hooks = dict(checkpoint=dict(interval=max_epochs))
