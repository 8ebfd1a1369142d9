"""Hooks of the MMEngine runner."""

from .channels_last_hook import ChannelsLastHook
from .class_check_hook import ClassCheckHook
from .compile_hook import CompileHook
from .ema_hook import EMAWithRawEvalHook
from .fast_forward_hook import FastForwardHook
from .label_count_hook import LabelCountHook
from .loss_epoch_hook import LossEpochHook
from .non_finite_hook import NonFiniteLossHook
from .report_hook import ReportHook
from .run_summary_hook import RunSummaryHook
from .target_check_hook import TargetCheckHook
from .transfer_hook import TransferHook
from .tune_thresholds_hook import TuneThresholdsHook

__all__ = [
    'ChannelsLastHook',
    'ClassCheckHook',
    'CompileHook',
    'EMAWithRawEvalHook',
    'FastForwardHook',
    'LabelCountHook',
    'LossEpochHook',
    'NonFiniteLossHook',
    'ReportHook',
    'RunSummaryHook',
    'TargetCheckHook',
    'TransferHook',
    'TuneThresholdsHook',
]
