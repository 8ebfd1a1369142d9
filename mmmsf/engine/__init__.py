"""What plugs into MMEngine's runner: hooks, schedules, optimizer wrappers, launching."""

from .hooks import ChannelsLastHook, ClassCheckHook, ContactSheetHook, ReportHook
from .optim_wrapper import CpuAmpOptimWrapper
from .schedulers import OneCycleLR

__all__ = [
    'ChannelsLastHook', 'ClassCheckHook', 'ContactSheetHook', 'CpuAmpOptimWrapper', 'OneCycleLR',
    'ReportHook',
]
