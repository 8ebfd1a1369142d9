_base_ = [
    './models/msf-ours_efficientnet-lite0_frozen.py',
    './ours_frozen_runtime.py',
    './datasets/corel5k_224px.py',
]

model = dict(head=dict(num_classes=374))
