# Table 6: nearest instead of bilinear interpolation.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(neck=dict(interpolation='nearest'))
