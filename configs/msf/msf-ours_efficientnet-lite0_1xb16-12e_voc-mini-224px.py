# The recommended network on a few hundred photographs, with a pretrained backbone that is trained: the stages of
# strides 2 to 8 stay as they are, each later one has a rate of its own, lower towards the input, and batch norms
# keep their statistics, since those of small batches cost 8 points of mAP. In float32: on a CPU the backward pass
# of depthwise convolutions is slower in bfloat16. What each choice brings: configs/evidence/README.md.
_base_ = [
    '../_base_/models/msf-ours_efficientnet-lite0_frozen.py',
    '../_base_/datasets/voc_mini-crops_224px.py',
    '../_base_/frozen_runtime.py',
]

model = dict(
    backbone=dict(
        frozen=('conv_stem', 'bn1', 'blocks.0', 'blocks.1', 'blocks.2'), norm_eval=True),
    head=dict(num_classes=20))

max_epochs = 12
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(
        custom_keys={
            'head.pooling': dict(lr_mult=3.0),
            'conv_head': dict(lr_mult=0.3), 'bn2': dict(lr_mult=0.3),
            'blocks.6': dict(lr_mult=0.3), 'blocks.5': dict(lr_mult=0.2),
            'blocks.4': dict(lr_mult=0.13), 'blocks.3': dict(lr_mult=0.09)}))
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
default_hooks = dict(checkpoint=dict(interval=max_epochs))
