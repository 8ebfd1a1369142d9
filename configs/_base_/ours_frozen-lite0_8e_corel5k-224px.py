_base_ = ['./ours_frozen_runtime.py', './datasets/corel5k_224px.py']

model = dict(head=dict(num_classes=374))
