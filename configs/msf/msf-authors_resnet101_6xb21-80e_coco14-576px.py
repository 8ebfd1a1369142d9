# The first author's profile at 576 px.
_base_ = [
    '../_base_/models/msf-authors_resnet101.py',
    '../_base_/datasets/coco14_576px.py',
    '../_base_/schedules/adamw_onecycle_80e.py',
    '../_base_/ema_runtime.py',
]

val_evaluator = dict(thr=0.715)
test_evaluator = val_evaluator
