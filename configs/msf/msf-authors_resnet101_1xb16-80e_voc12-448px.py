# VOC 2012 as in the first author's code: smaller rate and decay, no focusing in the loss, classes that
# are only difficult are negatives.
_base_ = [
    '../_base_/models/msf-authors_resnet101.py',
    '../_base_/datasets/voc12_448px.py',
    '../_base_/datasets/pipelines-authors_448px.py',
    '../_base_/schedules/adamw_onecycle_80e_voc-authors.py',
    '../_base_/ema_runtime_voc-authors.py',
]

model = dict(head=dict(num_classes=20, loss=dict(gamma_neg=0.0)))
train_dataloader = dict(
    dataset=dict(difficult='negative', pipeline=_base_.authors_train_pipeline))
val_dataloader = dict(
    dataset=dict(difficult='negative', pipeline=_base_.authors_test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(thr=0.715, ap_flavour='voc')
test_evaluator = val_evaluator
