# Section 3.6: binary cross-entropy, which is ASL without focusing.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(head=dict(loss=dict(gamma_pos=0.0, gamma_neg=0.0)))
