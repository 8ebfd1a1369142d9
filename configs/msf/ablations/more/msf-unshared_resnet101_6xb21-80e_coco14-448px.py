# The conclusion's remark: an encoder and a decoder for every scale.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(head=dict(share_branches=False))
