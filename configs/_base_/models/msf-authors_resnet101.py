# The first author's code ("TBALN") where it differs from the paper: also 69,546,128 parameters.
_base_ = './msf_resnet101.py'

model = dict(
    neck=dict(stride_padding=0),
    head=dict(
        position_mode='attention', query_mode='attention', act_cfg=dict(type='GELU'), thr=0.715))
