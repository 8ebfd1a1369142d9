# Fig 5: 3 encoder and 3 decoder layers.
_base_ = '../../msf_resnet101_6xb21-80e_coco14-448px.py'

model = dict(head=dict(num_encoder_layers=3, num_decoder_layers=3))
