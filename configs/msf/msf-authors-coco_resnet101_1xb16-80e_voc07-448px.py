# VOC 2007 from the COCO checkpoint of the same profile, without label tables and final linear layer.
_base_ = 'msf-authors_resnet101_1xb16-80e_voc07-448px.py'

custom_hooks = _base_.custom_hooks + [dict(type='mmmsf.TransferHook')]
load_from = 'work_dirs/msf-authors_resnet101_6xb21-80e_coco14-448px/epoch_80.pth'
