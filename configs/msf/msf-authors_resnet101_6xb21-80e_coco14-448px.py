# The first author's code ("TBALN") where it differs from the paper.
_base_ = [
    '../_base_/models/msf-authors_resnet101.py',
    '../_base_/datasets/coco14_448px.py',
    '../_base_/schedules/adamw_onecycle_80e.py',
    '../_base_/ema_runtime.py',
]

val_evaluator = dict(thr=0.715)
test_evaluator = val_evaluator
