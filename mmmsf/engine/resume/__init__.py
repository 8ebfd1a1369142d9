"""Exact resume: the training loop, its sampler, its random numbers and its checkpoints.

Private names of MMEngine that this room uses, and the reason for each:

- ``CheckpointHook._save_checkpoint_with_step`` is overridden: it fixes the order of writing the
  checkpoint, writing ``last_checkpoint`` and removing outdated files.
- ``Runner._resume``: the only record of whether ``after_load_checkpoint`` resumes a run or starts
  one from weights.
- ``EpochBasedTrainLoop._epoch``: ``epoch`` cannot be set, and ``run_epoch`` must count.
- ``BaseLoop._decide_current_val_interval``: ``dynamic_intervals`` takes effect in no other way.
"""

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
