# VOC 2007 as in the first author's code: smaller rate and decay, no focusing in the loss.
_base_ = [
    '../_base_/models/msf-authors_resnet101.py',
    '../_base_/datasets/voc07_448px.py',
    '../_base_/schedules/adamw_onecycle_80e_voc-authors.py',
    '../_base_/ema_runtime_voc-authors.py',
]

model = dict(head=dict(num_classes=20, loss=dict(gamma_pos=0.0, gamma_neg=0.0)))
val_evaluator = dict(thr=0.715)
test_evaluator = val_evaluator
