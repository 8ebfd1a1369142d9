_base_ = [
    '../_base_/models/csra_resnet101.py',
    '../_base_/datasets/voc07_448px.py',
    '../_base_/schedules/adamw_onecycle_80e.py',
    '../_base_/ema_runtime.py',
]

model = dict(head=dict(num_classes=20))
train_dataloader = dict(batch_size=21)
