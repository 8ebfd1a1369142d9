_base_ = [
    './models/msf-ours_efficientnet-lite0_frozen.py',
    './ours_frozen_runtime.py',
    './datasets/voc_mini_320px.py',
]

model = dict(head=dict(num_classes=20))
optim_wrapper = dict(optimizer=dict(lr=3e-3))
