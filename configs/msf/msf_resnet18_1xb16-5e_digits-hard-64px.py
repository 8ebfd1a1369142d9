# The paper's setting at a small scale: the hard variant from a backbone trained on the easier digits.
# Train configs/baselines/linear_resnet18_1xb16-10e_digits-64px.py first.
_base_ = [
    '../_base_/models/msf_resnet18_digits.py',
    '../_base_/datasets/digits-hard_64px.py',
    '../_base_/schedules/adamw_onecycle_5e_digits-hard.py',
    '../_base_/default_runtime.py',
]

pretrained = 'work_dirs/linear_resnet18_1xb16-10e_digits-64px/epoch_10.pth'
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')))
custom_hooks = _base_.custom_hooks + [dict(type='mmmsf.ChannelsLastHook')]
