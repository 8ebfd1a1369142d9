# The paper's network and schedule on VOC 2007, from ImageNet weights.
_base_ = [
    '../_base_/models/msf_resnet101.py',
    '../_base_/datasets/voc07_448px.py',
    '../_base_/schedules/adamw_onecycle_80e.py',
    '../_base_/ema_runtime.py',
]

model = dict(head=dict(num_classes=20))
train_dataloader = dict(batch_size=21)
