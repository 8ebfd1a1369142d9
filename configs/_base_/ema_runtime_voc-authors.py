# Averaged weights of the first author's VOC runs: decay 0.9997.
_base_ = './default_runtime.py'

custom_hooks = _base_.custom_hooks + [
    dict(
        type='mmmsf.EMAWithRawEvalHook', momentum=3e-4, update_buffers=True,
        priority='ABOVE_NORMAL'),
]
