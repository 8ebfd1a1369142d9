# The recommended network on a few hundred photographs, with a pretrained backbone that is trained. What each choice
# brings: configs/evidence/README.md.
_base_ = [
    '../_base_/models/msf-ours_efficientnet-lite0.py',
    '../_base_/datasets/voc_mini-crops_224px.py',
    '../_base_/schedules/adamw_onecycle_12e_efficientnet-lite0.py',
    '../_base_/ema_runtime_voc-mini.py',
]

model = dict(head=dict(num_classes=20))
