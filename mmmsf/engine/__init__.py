"""What plugs into MMEngine's runner: hooks, schedules, optimizer wrappers, launching."""

from .hooks import (
    AtomicCheckpointHook,
    ChannelsLastHook,
    ClassCheckHook,
    ContactSheetHook,
    EMAWithRawEvalHook,
    NonFiniteLossHook,
    ReportHook,
    TransferHook,
)
from .loops import ResumableTrainLoop
from .optim_wrapper import CpuAmpOptimWrapper, build_amp_optim_wrapper
from .schedulers import OneCycleLR
from .seeded_data import SeededBatchSampler, SeededDataset

__all__ = [
    'AtomicCheckpointHook', 'ChannelsLastHook', 'ClassCheckHook', 'ContactSheetHook',
    'CpuAmpOptimWrapper', 'EMAWithRawEvalHook', 'NonFiniteLossHook', 'OneCycleLR', 'ReportHook',
    'ResumableTrainLoop', 'SeededBatchSampler', 'SeededDataset', 'TransferHook',
    'build_amp_optim_wrapper',
]
