"""One training step of a config, for a check and an estimate of the time."""

import contextlib
import io
import math
import time

from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope

from mmmsf.models.losses import set_epoch
from mmmsf.registry import DATASETS, MODELS

from .schedule import Schedule

STEPS = 2  # the first is not timed
EVALUATION = 0.4  # time of a validation image relative to a training image of its size


def seconds_per_image(cfg: Config, device: str) -> float:
    """Take training steps without an optimizer; return the seconds an image takes.

    Args:
        cfg: Config.
        device: 'cpu' or 'cuda'.

    Raises:
        ValueError: The loss is not finite.
    """
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})
        model.init_weights()
        data = DATASETS.build(cfg.train_dataloader.dataset)
    model.to(device).train()
    set_epoch(model, 0)
    count = min(cfg.train_dataloader.batch_size, len(data))
    for _ in range(STEPS):
        start = time.perf_counter()
        batch = model.data_preprocessor(default_collate([data[k] for k in range(count)]), True)
        loss = sum(model(**batch, mode='loss').values())
        loss.backward()
        number = loss.item()  # waits for a GPU
        if not math.isfinite(number):
            raise ValueError(f'the loss of the first step is {number}; try other --weights')
        seconds = time.perf_counter() - start
    return seconds / count


def estimate_minutes(cfg: Config, schedule: Schedule, num_val: int) -> float:
    """Estimate the minutes that a config takes to train, with its validations."""
    trained = schedule.epochs * schedule.steps * schedule.batch_size
    validated = EVALUATION * num_val * (schedule.epochs // schedule.interval)
    validated *= (schedule.test_px / schedule.px) ** 2
    with contextlib.redirect_stdout(io.StringIO()):  # notes on the loaded weights
        seconds = seconds_per_image(cfg, 'cuda' if schedule.gpu else 'cpu')
    return seconds * (trained + validated) / 60
