# The first author's COCO run: the first beta of AdamW cycles with the rate, PyTorch's default.
_base_ = './adamw_onecycle_80e.py'

param_scheduler = dict(cycle_momentum=(0.85, 0.95))
