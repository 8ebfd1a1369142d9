# The default runtime with averaged weights; averages of this length are the authors' code's.
_base_ = './default_runtime.py'

custom_hooks = _base_.custom_hooks + [
    dict(type='EMAHook', momentum=2e-4, update_buffers=True, priority='ABOVE_NORMAL'),
]
