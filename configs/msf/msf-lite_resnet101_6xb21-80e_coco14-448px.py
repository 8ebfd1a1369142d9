# A light MSF at the cost of ML-Decoder: all three scales, 256 wide, one decoder layer, no encoder,
# gated scale attention. Ours, not the paper's.
_base_ = './msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(
    neck=dict(embed_dims=256, product_gate=True, init_scale=None),
    head=dict(
        embed_dims=256, feedforward_channels=1024, num_encoder_layers=0, num_decoder_layers=1))
