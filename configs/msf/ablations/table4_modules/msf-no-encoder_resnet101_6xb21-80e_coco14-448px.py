# Table 4: without global feature enhancement.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(head=dict(num_encoder_layers=0))
