_base_ = ['./ours_frozen_runtime.py', './datasets/voc_mini_320px.py']

model = dict(head=dict(num_classes=20))
optim_wrapper = dict(optimizer=dict(lr=3e-3))
