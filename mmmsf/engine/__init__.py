"""Extensions of MMEngine's runner: hooks, schedules, optimizer wrappers, exact resume."""

from .fast_forward import FastForward, FastOptions
from .hooks import (
    ChannelsLastHook,
    ClassCheckHook,
    CompileHook,
    EMAWithRawEvalHook,
    FastForwardHook,
    LabelCountHook,
    LossEpochHook,
    NonFiniteLossHook,
    ReportHook,
    RunSummaryHook,
    TargetCheckHook,
    TransferHook,
    TuneThresholdsHook,
)
from .optim_wrapper import CpuAmpOptimWrapper, build_amp_optim_wrapper
from .resume import (
    AtomicCheckpointHook,
    ResumableTrainLoop,
    SeededBatchSampler,
    SeededDataset,
)
from .schedulers import OneCycleLR

__all__ = [
    'AtomicCheckpointHook',
    'ChannelsLastHook',
    'ClassCheckHook',
    'CompileHook',
    'CpuAmpOptimWrapper',
    'EMAWithRawEvalHook',
    'FastForward',
    'FastForwardHook',
    'FastOptions',
    'LabelCountHook',
    'LossEpochHook',
    'NonFiniteLossHook',
    'OneCycleLR',
    'ReportHook',
    'ResumableTrainLoop',
    'RunSummaryHook',
    'SeededBatchSampler',
    'SeededDataset',
    'TargetCheckHook',
    'TransferHook',
    'TuneThresholdsHook',
    'build_amp_optim_wrapper',
]
