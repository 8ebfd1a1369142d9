# Averaged weights beside the raw ones, which are evaluated as `raw/...`. The decay (0.9998) is that of
# the authors' code.
_base_ = './default_runtime.py'

custom_hooks = _base_.custom_hooks + [
    dict(
        type='mmmsf.EMAWithRawEvalHook', momentum=2e-4, update_buffers=True,
        priority='ABOVE_NORMAL'),
]
