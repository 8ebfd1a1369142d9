"""Parameters of a scaled-digits set."""

import hashlib
import json
from dataclasses import asdict, dataclass

GENERATOR_VERSION = 1  # raise it with any change that alters images or labels
SPLITS = ('train', 'val')
SIZE_LAWS = ('uniform', 'log')
CONTRASTS = ('light', 'both')


@dataclass(frozen=True)
class DigitSpec:
    """Hold the parameters of a scaled-digits set; the fields are ``ScaledDigits``' arguments.

    Raises:
        ValueError: A field is out of its range; names the field.
    """

    train: int = 4000
    val: int = 1000
    image_size: int = 64
    min_digit: int = 10
    max_digit: int = 50
    max_digits: int = 5
    size_law: str = 'uniform'
    contrast: str = 'light'
    clutter: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in dict(train=1, val=1, min_digit=5, max_digits=1, clutter=0, seed=0).items():
            if getattr(self, name) < low:
                raise ValueError(f'{name} must be at least {low}, got {getattr(self, name)}')
        for name, values in dict(size_law=SIZE_LAWS, contrast=CONTRASTS).items():
            if getattr(self, name) not in values:
                raise ValueError(f'{name} must be one of {values}, got {getattr(self, name)!r}')
        if not self.min_digit <= self.max_digit <= self.image_size:
            raise ValueError(
                'min_digit <= max_digit <= image_size must hold, got '
                f'{self.min_digit}, {self.max_digit}, {self.image_size}'
            )

    @property
    def folder(self) -> str:
        """Return the folder name, unique to these parameters and the generator version."""
        text = json.dumps([GENERATOR_VERSION, asdict(self)], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f'{self.image_size}px_seed{self.seed}_{digest}'
