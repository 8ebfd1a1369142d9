# The recommended network on two thousand photographs of 80 classes, with a pretrained backbone that is trained. What each choice
# brings: configs/evidence/README.md.
_base_ = [
    '../_base_/models/msf-ours_efficientnet-lite0.py',
    '../_base_/datasets/coco-small_224px.py',
    '../_base_/schedules/adamw_onecycle_12e_efficientnet-lite0.py',
    '../_base_/ema_runtime_voc-mini.py',
]

model = dict(head=dict(num_classes=80))
test_pipeline = _base_.whole_320px
train_dataloader = dict(batch_size=16)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
