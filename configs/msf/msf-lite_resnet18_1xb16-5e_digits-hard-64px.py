# The light MSF on the hard variant: one decoder layer, no encoder, gated scale attention. The rate
# was tuned like the baselines' (configs/baselines/README.md).
_base_ = './msf_resnet18_1xb16-5e_digits-hard-64px.py'

model = dict(
    neck=dict(product_gate=True), head=dict(num_encoder_layers=0, num_decoder_layers=1))
optim_wrapper = dict(optimizer=dict(lr=1.2e-2))
