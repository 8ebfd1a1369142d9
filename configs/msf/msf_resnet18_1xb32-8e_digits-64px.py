_base_ = [
    '../_base_/models/msf_resnet18_digits.py',
    '../_base_/datasets/digits_64px.py',
    '../_base_/schedules/adamw_onecycle_8e_digits.py',
    '../_base_/default_runtime.py',
]
