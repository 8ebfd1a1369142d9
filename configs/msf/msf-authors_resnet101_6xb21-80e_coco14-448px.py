# The first author's code ("TBALN") where it differs from the paper.
_base_ = 'msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(
    neck=dict(stride_padding=0),
    head=dict(
        position_mode='attention', query_mode='attention', act_cfg=dict(type='GELU'), thr=0.715))

val_evaluator = dict(thr=0.715)
test_evaluator = val_evaluator
