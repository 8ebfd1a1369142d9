# The default runtime with averaged weights, evaluated beside the raw ones as `raw/...`. The length of
# the average (0.9998) is the authors' code's.
_base_ = './default_runtime.py'

custom_hooks = _base_.custom_hooks + [
    dict(
        type='mmmsf.EMAWithRawEvalHook', momentum=2e-4, update_buffers=True,
        priority='ABOVE_NORMAL'),
]
