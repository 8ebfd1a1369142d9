# The recommended network on two thousand photographs of 80 classes, with a pretrained backbone that is trained. What each choice
# brings: configs/evidence/README.md.
_base_ = [
    '../_base_/models/msf-ours_efficientnet-lite0.py',
    '../_base_/datasets/coco-small_224px.py',
    '../_base_/schedules/adamw_onecycle_12e_efficientnet-lite0.py',
    '../_base_/ema_runtime_voc-mini.py',
]

model = dict(head=dict(num_classes=80))
# A random crop of 224 px shows things larger than the whole image at 224 px does.
test_pipeline = [
    dict(type='mmmsf.LoadImage'),
    dict(type='Resize', scale=(320, 320), interpolation='bicubic'),
    dict(type='PackInputs', algorithm_keys=('gt_area', )),
]
train_dataloader = dict(batch_size=16)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
