# VOC 2007 as in the first author's code: smaller rate and decay, no focusing in the loss.
_base_ = 'msf_resnet101_6xb21-80e_voc07-448px.py'

model = dict(
    neck=dict(stride_padding=0),
    head=dict(
        position_mode='attention', query_mode='attention', act_cfg=dict(type='GELU'), thr=0.715,
        loss=dict(gamma_pos=0.0, gamma_neg=0.0)))
train_dataloader = dict(batch_size=16)
optim_wrapper = dict(optimizer=dict(lr=5e-5, weight_decay=5e-3))
auto_scale_lr = dict(base_batch_size=16)
# The last hook is the averaging.
custom_hooks = _base_.custom_hooks[:-1] + [dict(_base_.custom_hooks[-1], momentum=3e-4)]
val_evaluator = dict(thr=0.715)
test_evaluator = val_evaluator
