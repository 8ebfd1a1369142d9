_base_ = [
    './models/linear_efficientnet-lite0_frozen.py',
    './frozen_runtime.py',
    './datasets/corel5k_224px.py',
]

model = dict(head=dict(num_classes=374))
