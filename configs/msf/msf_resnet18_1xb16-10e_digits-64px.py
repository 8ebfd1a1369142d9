# The README's first command: minutes on two CPU cores, no download.
_base_ = [
    '../_base_/models/msf_resnet18_digits.py',
    '../_base_/datasets/digits_64px.py',
    '../_base_/schedules/adamw_onecycle_10e_digits.py',
    '../_base_/default_runtime.py',
]

model = dict(neck=dict(product_gate=True))
custom_hooks = _base_.custom_hooks + [dict(type='mmmsf.ChannelsLastHook')]
