# Ours on EfficientNet-Lite0, of which the stages of strides 16 and 32 and the last convolution are trained. Batch
# norms keep their statistics: those of small batches cost 8 points of mAP (configs/evidence/README.md).
_base_ = './msf-ours_efficientnet-lite0_frozen.py'

model = dict(
    backbone=dict(
        frozen=('conv_stem', 'bn1', 'blocks.0', 'blocks.1', 'blocks.2'), norm_eval=True))
