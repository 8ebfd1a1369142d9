# Ours: the shared product of the scale attention through a gate that starts at zero.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(neck=dict(product_gate=True))
