_base_ = [
    './models/linear_efficientnet-lite0_frozen.py',
    './frozen_runtime.py',
    './datasets/voc_mini_320px.py',
]

model = dict(head=dict(num_classes=20))
