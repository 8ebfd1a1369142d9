# The first author's code ("TBALN") where it differs from the paper: also 69,546,128 parameters.
_base_ = './msf_resnet101.py'

model = dict(
    neck=dict(profile='authors', init_scale=None),
    head=dict(profile='authors', loss=dict(type='mmmsf.PolynomialLoss')))
