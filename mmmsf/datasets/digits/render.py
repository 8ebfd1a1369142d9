"""Rendering of the scaled-digits images: pure functions of a random generator.

The handwriting is the UCI digits set as shipped with scikit-learn
(``sklearn.datasets.load_digits``: 1,797 images of 8 x 8 values 0 to 16).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .spec import DigitSpec

LUMA = np.array([0.114, 0.587, 0.299])  # weights of B, G, R (ITU-R BT.601)
MIN_CONTRAST = 100.0  # least luma distance, of 255, between a digit and what is behind it
VISIBLE = 0.25  # least opacity at which a pixel counts as part of the digit
TRIES = 40  # random positions tried before a digit is dropped
DARK = 120.0  # largest value of a background's channels under light digits


@dataclass(frozen=True)
class PlacedDigit:
    """Hold one rendered digit.

    Attributes:
        index: Sample number in scikit-learn's set.
        box: Tight box (x, y, width, height) in pixels.
    """

    index: int
    box: tuple[int, int, int, int]


def draw_sides(rng: np.random.Generator, count: int, low: int, high: int, law: str) -> list[int]:
    """Draw ``count`` sides in pixels from [low, high], the largest first.

    They are uniform, or with ``law='log'`` log-uniform, which gives more small ones.
    """
    if law == 'log':
        sides = np.exp(rng.uniform(np.log(low), np.log(high + 1), size=count))
    else:
        sides = rng.uniform(low, high + 1, size=count)
    return sorted((int(side) for side in np.clip(sides, low, high)), reverse=True)


def place_squares(
    rng: np.random.Generator,
    sides: list[int],
    image_size: int,
) -> list[tuple[int, int, int]]:
    """Place squares on a canvas without overlap, in the order given.

    Returns:
        (x, y, side) of the squares that found a free position within ``TRIES`` random tries; the
        first always does.
    """
    placed: list[tuple[int, int, int]] = []
    for side in sides:
        for x, y in rng.integers(0, image_size - side + 1, size=(TRIES, 2)):
            if all(
                x >= px + ps or px >= x + side or y >= py + ps or py >= y + side
                for px, py, ps in placed
            ):
                placed.append((int(x), int(y), side))
                break
    return placed


def digit_alpha(grey: np.ndarray, side: int) -> np.ndarray:
    """Resize a digit and turn it into opacity.

    Args:
        grey: Values from 0 to 16, shape (8, 8).
        side: New side in pixels.

    Returns:
        float64 (side, side) in [0, 1], smoothly interpolated.
    """
    method = cv2.INTER_CUBIC if side >= len(grey) else cv2.INTER_AREA
    resized = cv2.resize(grey.astype(np.float64) / 16, (side, side), interpolation=method)
    return np.clip(resized, 0, 1)


def tight_box(alpha: np.ndarray) -> tuple[int, int, int, int]:
    """Return (x, y, width, height) of the pixels with an opacity of at least ``VISIBLE``."""
    rows, columns = np.nonzero(alpha >= VISIBLE)
    x, y = int(columns.min()), int(rows.min())
    return x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1


def draw_background(rng: np.random.Generator, image_size: int, contrast: str) -> np.ndarray:
    """Draw a linear gradient between two related colours, float64 (S, S, 3) in 0 to 255.

    With ``contrast='light'`` both colours are dark.
    """
    brightest = DARK if contrast == 'light' else 255.0
    first = rng.uniform(0, brightest, 3)
    second = np.clip(first + rng.uniform(-60, 60, 3), 0, brightest)
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-0.5, 0.5, image_size)
    ramp = np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None]
    weight = (ramp - ramp.min()) / np.ptp(ramp) if image_size > 1 else ramp
    return first + weight[..., None] * (second - first)


def draw_clutter(rng: np.random.Generator, canvas: np.ndarray, count: int) -> np.ndarray:
    """Copy ``canvas`` (S, S, 3) and add ``count`` strokes or blobs, fainter than any digit."""
    size = len(canvas)
    canvas = canvas.copy()
    for _ in range(count):
        x, y, x2, y2 = (int(value) for value in rng.integers(0, size, 4))
        mask = np.zeros((size, size), dtype=np.float64)
        if rng.random() < 0.5:
            cv2.line(mask, (x, y), (x2, y2), 1.0, int(rng.integers(1, max(2, size // 24) + 1)))
        else:
            axes = tuple(int(value) for value in rng.integers(1, max(2, size // 8) + 1, 2))
            cv2.ellipse(mask, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        shift = rng.uniform(-50, 50, 3)
        canvas = np.clip(canvas + mask[..., None] * shift, 0, 255)
    return canvas


def pick_colour(rng: np.random.Generator, behind: np.ndarray, contrast: str) -> np.ndarray:
    """Draw a random BGR colour that contrasts with the pixels behind it.

    Args:
        rng: Generator; its state advances.
        behind: Pixels that the digit will cover, shape (h, w, 3).
        contrast: ``'light'`` for a colour lighter than ``behind``, ``'both'`` for lighter or
            darker.

    Returns:
        float64 (3,) whose luma differs by ``MIN_CONTRAST`` or more from the mean luma of
        ``behind``; white or black when random tries find none.
    """
    luma = float((behind @ LUMA).mean())
    for colour in rng.uniform(0, 255, size=(16, 3)):
        step = float(colour @ LUMA) - luma
        if (step if contrast == 'light' else abs(step)) >= MIN_CONTRAST:
            return colour
    return np.full(3, 255.0 if contrast == 'light' or luma < 127.5 else 0.0)


def render_image(
    rng: np.random.Generator,
    images: np.ndarray,
    pool: np.ndarray,
    spec: DigitSpec,
) -> tuple[np.ndarray, list[PlacedDigit]]:
    """Render one image with 1 to ``spec.max_digits`` digits.

    Args:
        rng: Generator; the same state gives the same image.
        images: Handwritten digits, values 0 to 16, shape (N, 8, 8).
        pool: Sample numbers that may be drawn.
        spec: Sizes, number and colours.

    Returns:
        uint8 BGR image (S, S, 3) and the digits in it, whose boxes are disjoint.
    """
    canvas = draw_background(rng, spec.image_size, spec.contrast)
    canvas = draw_clutter(rng, canvas, spec.clutter)
    canvas = np.clip(canvas + rng.normal(0, 4, canvas.shape), 0, 255)
    count = int(rng.integers(1, spec.max_digits + 1))
    sides = draw_sides(rng, count, spec.min_digit, spec.max_digit, spec.size_law)
    digits = []
    for x, y, side in place_squares(rng, sides, spec.image_size):
        index = int(rng.choice(pool))
        alpha = digit_alpha(images[index], side)
        behind = canvas[y : y + side, x : x + side]
        colour = pick_colour(rng, behind, spec.contrast)
        canvas[y : y + side, x : x + side] = behind + alpha[..., None] * (colour - behind)
        left, top, width, height = tight_box(alpha)
        digits.append(PlacedDigit(index, (x + left, y + top, width, height)))
    return np.rint(canvas).astype(np.uint8), digits
