# EfficientNet-Lite0 from ImageNet, maps at strides 16 (112 channels) and 32 (320 channels), frozen
# but for the stages of stride 32. Weights: tools/converters/efficientnet_lite_to_mmpretrain.py.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmmsf.FrozenTIMMBackbone', model_name='tf_efficientnet_lite0', features_only=True,
        out_indices=(3, 4),
        frozen=('conv_stem', 'bn1', 'blocks.0', 'blocks.1', 'blocks.2', 'blocks.3', 'blocks.4'),
        init_cfg=dict(
            type='Pretrained', checkpoint='data/efficientnet-lite0.pth', prefix='backbone.')))
