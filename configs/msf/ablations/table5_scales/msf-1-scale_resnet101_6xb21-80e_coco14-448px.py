# Table 5, mode 1: the last stage only.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(
    neck=dict(scales=('medium', )),
    head=dict(num_scales=1))
