"""Hooks of the MMEngine runner."""

from .attention_hook import AttentionHook
from .channels_last_hook import ChannelsLastHook
from .class_check_hook import ClassCheckHook
from .contact_sheet_hook import ContactSheetHook
from .ema_hook import EMAWithRawEvalHook
from .report_hook import ReportHook
from .transfer_hook import TransferHook

__all__ = [
    'AttentionHook', 'ChannelsLastHook', 'ClassCheckHook', 'ContactSheetHook', 'EMAWithRawEvalHook',
    'ReportHook', 'TransferHook',
]
