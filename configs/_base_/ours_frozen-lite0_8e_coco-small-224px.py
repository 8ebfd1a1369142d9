_base_ = ['./ours_frozen_runtime.py', './datasets/coco-small_224px.py']

model = dict(head=dict(num_classes=80))
