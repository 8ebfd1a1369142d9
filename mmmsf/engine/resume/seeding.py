"""Random numbers that depend on the position in a run, not on its history."""

import random

import numpy as np
import torch

# First part of the key of `seed_generators`, so that no two uses share their numbers.
SAMPLE, STEP, EPOCH, VALIDATION = range(4)


def seed_generators(*key: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch (CPU, current GPU) from a key.

    Args:
        *key: Non-negative integers; different keys give unrelated random numbers.
    """
    words = np.random.SeedSequence(key).generate_state(8)  # 8 x 32 bits
    random.seed(words[:2].tobytes())
    np.random.seed(words[2:6])
    number = int(words[6:8].view(np.uint64)[0])
    torch.default_generator.manual_seed(number)  # torch.manual_seed is slow in a loader worker
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(number)
