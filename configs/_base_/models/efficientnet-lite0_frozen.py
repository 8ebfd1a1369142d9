# EfficientNet-Lite0 from ImageNet, frozen entirely. Maps: strides 16 and 32 (112 and 320 channels), then
# the pretrained last convolution (1,280 channels, stride 32), which ImageNet's classifier pools. Weights:
# tools/converters/efficientnet_lite_to_mmpretrain.py.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmmsf.FrozenTIMMBackbone', model_name='tf_efficientnet_lite0', features_only=True,
        out_indices=(3, 4), with_final_map=True,
        frozen=('conv_stem', 'bn1', 'blocks', 'conv_head', 'bn2'),
        init_cfg=dict(
            type='Pretrained', checkpoint='data/efficientnet-lite0.pth', prefix='backbone.')))
