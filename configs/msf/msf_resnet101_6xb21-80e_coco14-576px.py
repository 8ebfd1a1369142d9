# The paper at 576 px on COCO 2014.
_base_ = [
    '../_base_/models/msf_resnet101.py',
    '../_base_/datasets/coco14_576px.py',
    '../_base_/schedules/adamw_onecycle_80e.py',
    '../_base_/ema_runtime.py',
]
