# Table 4: without hierarchical scale attention.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(neck=dict(fuse=False))
