"""Exact resume: the training loop, its sampler, its random numbers and its checkpoints."""

from .checkpoint_hook import AtomicCheckpointHook
from .find_checkpoint import checkpoint_fault, find_checkpoint
from .loop import ResumableTrainLoop
from .sampler import SeededBatchSampler, SeededDataset

__all__ = [
    'AtomicCheckpointHook',
    'ResumableTrainLoop',
    'SeededBatchSampler',
    'SeededDataset',
    'checkpoint_fault',
    'find_checkpoint',
]
