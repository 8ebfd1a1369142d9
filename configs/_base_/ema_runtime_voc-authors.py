# The average of the first author's VOC runs: 0.9997.
_base_ = './ema_runtime.py'

custom_hooks = _base_.custom_hooks[:-1] + [dict(_base_.custom_hooks[-1], momentum=3e-4)]
