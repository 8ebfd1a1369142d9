"""Hooks of the MMEngine runner."""

from .attention_hook import AttentionHook
from .channels_last_hook import ChannelsLastHook
from .checkpoint_hook import AtomicCheckpointHook
from .class_check_hook import ClassCheckHook
from .contact_sheet_hook import ContactSheetHook
from .ema_hook import EMAWithRawEvalHook
from .non_finite_hook import NonFiniteLossHook
from .report_hook import ReportHook
from .transfer_hook import TransferHook

__all__ = [
    'AtomicCheckpointHook', 'AttentionHook', 'ChannelsLastHook', 'ClassCheckHook',
    'ContactSheetHook', 'EMAWithRawEvalHook', 'NonFiniteLossHook', 'ReportHook', 'TransferHook',
]
