# Table 7: self-attention between the queries in the first decoder layer.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(head=dict(decoder_self_attn='first'))
