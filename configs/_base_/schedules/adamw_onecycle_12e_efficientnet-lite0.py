# A small set and a pretrained EfficientNet-Lite0 that is trained: the head at 1e-3, a third of it for the last stage
# and less for each earlier one. In float32: on a CPU the backward pass of depthwise convolutions is slower in bfloat16.
max_epochs = 12

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2),
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(
        custom_keys={
            'head.pooling': dict(lr_mult=3.0),
            'conv_head': dict(lr_mult=0.3), 'bn2': dict(lr_mult=0.3),
            'blocks.6': dict(lr_mult=0.3), 'blocks.5': dict(lr_mult=0.2),
            'blocks.4': dict(lr_mult=0.13), 'blocks.3': dict(lr_mult=0.09)}))
param_scheduler = dict(
    type='mmmsf.OneCycleLR', pct_start=0.2, by_epoch=True, begin=0, end=max_epochs,
    convert_to_iter_based=True)
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
