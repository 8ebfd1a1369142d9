# 512 wide, as MSF's tokens: a 1x1 convolution narrows the map.
_base_ = 'q2l_resnet101_6xb21-80e_voc07-448px.py'

model = dict(head=dict(embed_dims=512, feedforward_channels=2048))
