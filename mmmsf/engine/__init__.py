"""What plugs into MMEngine's runner: hooks, schedules, optimizer wrappers, launching."""

from .hooks import (
    ChannelsLastHook,
    ClassCheckHook,
    ContactSheetHook,
    EMAWithRawEvalHook,
    ReportHook,
    TransferHook,
)
from .optim_wrapper import CpuAmpOptimWrapper, build_amp_optim_wrapper
from .schedulers import OneCycleLR

__all__ = [
    'ChannelsLastHook', 'ClassCheckHook', 'ContactSheetHook', 'CpuAmpOptimWrapper',
    'EMAWithRawEvalHook', 'OneCycleLR', 'ReportHook', 'TransferHook', 'build_amp_optim_wrapper',
]
