# 170 steps in all: an average over about the last 30. The last epoch is evaluated; none is selected on val.
_base_ = './default_runtime.py'

default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(save_best=None, max_keep_ckpts=1))
custom_hooks = _base_.custom_hooks + [
    dict(type='mmmsf.ChannelsLastHook'),
    dict(
        type='mmmsf.EMAWithRawEvalHook', momentum=0.03, update_buffers=True, evaluate_raw=False,
        priority='ABOVE_NORMAL'),
]
