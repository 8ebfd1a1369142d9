# Ours: no encoder, one decoder layer, the gate on the scale attention's product.
_base_ = 'msf_efficientnet-lite0_1xb16-5e_voc-mini-224px.py'

model = dict(
    neck=dict(product_gate=True), head=dict(num_encoder_layers=0, num_decoder_layers=1))
