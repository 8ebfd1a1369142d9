# Table 4: without region selection; each branch's tokens are averaged.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(head=dict(num_decoder_layers=0))
