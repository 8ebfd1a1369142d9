"""Image size, batch and epochs, chosen from the number of images and the device."""

import math
from dataclasses import dataclass

SIZES = (224, 320, 448)  # px, of the crops
MEMORY = 10  # GiB of a GPU for 32 images of 448 px with a trained ResNet-50
# Whole images are larger than random crops, which show things 1.3 times as large on average: best
# on photographs of VOC and COCO (configs/evidence/README.md).
LARGER = 10 / 7
STRIDE = 32  # px, of the last map
VALIDATIONS = 3  # of a run
CHECKPOINTS = 10  # of a run, at most, to go on from


@dataclass(frozen=True)
class Rule:
    """Hold the numbers of a device: images a step, wanted epochs, least and most steps."""

    batch_size: int
    epochs: int
    least: int
    most: int


CPU = Rule(batch_size=16, epochs=12, least=150, most=600)
GPU = Rule(batch_size=32, epochs=20, least=400, most=30_000)


@dataclass(frozen=True)
class Schedule:
    """Hold the choices of a run; each ``..._why`` is a comment of the config.

    Attributes:
        px: Side of the square crops of the training.
        test_px: Side of whole images, to which they are resized.
        batch_size: Images a step.
        epochs: Number of epochs.
        steps: Steps an epoch.
        interval: Epochs between validations.
        saved: Epochs between checkpoints.
        frozen: True if the backbone is not trained.
        gpu: True for a GPU.
        workers: Processes that load images.
    """

    px: int
    px_why: str
    test_px: int
    batch_size: int
    epochs: int
    epochs_why: str
    steps: int
    interval: int
    saved: int
    frozen: bool
    frozen_why: str
    gpu: bool
    workers: int


def choose_size(
    px: int | None, side: int, memory: float, sized: bool = False
) -> tuple[int, str, int]:
    """Choose the sizes of crops and of whole images.

    Args:
        px: Size that the user named, or None.
        side: Median of the images' shorter sides.
        memory: GiB of the GPU, 0 on a CPU.
        sized: True if the network takes images of one size only.

    Returns:
        Size of the crops, its reason, and size of whole images.
    """
    if px is not None:
        why = 'as --px says'
    elif memory < MEMORY:
        device = f'a GPU of less than {MEMORY} GiB' if memory else 'a CPU'
        px, why = SIZES[0], f'for {device}; photographs gain from more'
    else:
        px = max([x for x in SIZES if x <= side], default=SIZES[0])
        why = f"of {SIZES} the largest that the images' median shorter side, {side}, fills"
        why += ', or the smallest'
    # Whole images may be larger than the files: 448 px is better than 320 px for photographs of
    # 375 px, and 320 px than 224 px for those of 256 px (configs/evidence/README.md).
    return px, why, px if sized else max(round(px * LARGER / STRIDE) * STRIDE, px)


def choose_schedule(
    num_images: int,
    size: tuple[int, str, int],
    memory: float,
    cores: int,
    pretrained: bool,
    freeze: bool | None = None,
) -> Schedule:
    """Choose batch, epochs and the frozen part.

    Args:
        num_images: Number of training images.
        size: Result of :func:`choose_size`.
        memory: GiB of the GPU, 0 on a CPU.
        cores: Number of CPU cores.
        pretrained: False for random weights, which are always trained.
        freeze: Choice of the user, or None: frozen on a CPU.

    Raises:
        ValueError: Random weights are to be frozen.
    """
    if freeze and not pretrained:
        raise ValueError('--freeze needs pretrained weights; random ones must be trained')
    rule = GPU if memory else CPU
    # A quarter of a small set, so that an epoch has several steps
    batch = min(rule.batch_size, max(num_images // 4, 2))
    steps = max(num_images // batch, 1)
    wanted = min(max(rule.epochs * steps, rule.least), rule.most)
    epochs = max(round(wanted / steps), 1)
    why = (
        f'{epochs * steps:,} steps: {rule.epochs} epochs, but {rule.least:,} to {rule.most:,} '
        f'steps in all, and one epoch at least'
    )
    if freeze is not None:
        frozen, reason = freeze, 'as --freeze or --no-freeze says'
    elif not pretrained:
        frozen, reason = False, 'since its weights are random'
    else:
        frozen = not memory
        reason = 'since training it takes a CPU three times as long' if frozen else 'on a GPU'
    return Schedule(
        *size,
        batch_size=batch,
        epochs=epochs,
        epochs_why=why,
        steps=steps,
        interval=math.ceil(epochs / VALIDATIONS),
        saved=math.ceil(epochs / CHECKPOINTS),
        frozen=frozen,
        frozen_why=reason,
        gpu=bool(memory),
        workers=min(4, cores) if memory else max(cores // 2, 1) if cores < 8 else 4,
    )
