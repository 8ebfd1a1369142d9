# Table 5, mode 2: the last stage and its halved map.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(
    neck=dict(scales=('medium', 'small')),
    head=dict(num_scales=2))
