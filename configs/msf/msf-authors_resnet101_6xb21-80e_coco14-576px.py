# The first author's profile at 576 px.
_base_ = [
    '../_base_/models/msf-authors_resnet101.py',
    '../_base_/datasets/coco14_576px.py',
    '../_base_/datasets/pipelines-authors_576px.py',
    '../_base_/schedules/adamw_onecycle_80e_authors.py',
    '../_base_/ema_runtime.py',
]

model = dict(head=dict(loss=dict(gamma_neg=2.0)))
train_dataloader = dict(dataset=dict(pipeline=_base_.authors_train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.authors_test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(thr=0.715, ap_flavour='voc')
test_evaluator = val_evaluator
