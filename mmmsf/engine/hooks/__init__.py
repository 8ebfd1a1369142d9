"""Hooks of the MMEngine runner."""

from .channels_last_hook import ChannelsLastHook
from .class_check_hook import ClassCheckHook
from .contact_sheet_hook import ContactSheetHook
from .report_hook import ReportHook

__all__ = ['ChannelsLastHook', 'ClassCheckHook', 'ContactSheetHook', 'ReportHook']
