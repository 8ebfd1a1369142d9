# The first author's code where it differs from the paper; threshold and loss as in the other.
_base_ = 'msf_efficientnet-lite0_1xb16-5e_voc-mini-224px.py'

model = dict(
    neck=dict(stride_padding=0),
    head=dict(position_mode='attention', query_mode='attention', act_cfg=dict(type='GELU')))
