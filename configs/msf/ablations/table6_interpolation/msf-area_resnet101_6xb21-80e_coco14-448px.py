# Table 6: area instead of bilinear interpolation.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(neck=dict(interpolation='area'))
