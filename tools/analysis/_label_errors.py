"""Suspect labels: ranked, and corrected by the verdicts of a reviewer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _suspects import SUGGESTIONS, UNSURE, YES, Suspect
from numpy.typing import NDArray


def rank_suspects(
    images: Sequence[str],
    classes: Sequence[str],
    scores: NDArray[np.floating],
    targets: NDArray[np.signedinteger],
    likelihood: NDArray[np.floating],
    count: int = 0,
) -> list[Suspect]:
    """List the known labels, the most likely wrong one first.

    Args:
        images: N paths.
        classes: K names.
        scores: (N, K).
        targets: 1 marked, 0 not, -1 unknown, (N, K).
        likelihood: Likelihood that the label is wrong, (N, K).
        count: Limit of the rows; 0 lists all.
    """
    rows, columns = np.nonzero(targets >= 0)
    order = np.argsort(-likelihood[rows, columns], kind='stable')[: count or None]
    return [
        Suspect(
            rank,
            images[i],
            classes[k],
            int(targets[i, k]),
            round(float(scores[i, k]), 4),
            round(float(likelihood[i, k]), 4),
            SUGGESTIONS[str(int(targets[i, k]))],
        )
        for rank, (i, k) in enumerate(
            zip(rows[order].tolist(), columns[order].tolist(), strict=True), start=1
        )
    ]


def apply_verdicts(
    path: Path,
    suspects: Sequence[Suspect],
    images: Sequence[str],
    classes: Sequence[str],
    targets: NDArray[np.signedinteger],
) -> NDArray[np.signedinteger]:
    """Correct labels by the verdicts; what was not confirmed stays.

    Args:
        path: File of the suspects, for the messages.
        suspects: Rows with verdicts.
        images: N paths.
        classes: K names.
        targets: Labels as they are, (N, K).

    Returns:
        Corrected labels (N, K).

    Raises:
        ValueError: A row names an image or class that is not there, its label is not the present
            one, or two rows of a pair have different verdicts.
    """
    row_of = {name: i for i, name in enumerate(images)}
    column_of = {name: k for k, name in enumerate(classes)}
    corrected, seen = targets.copy(), dict[tuple[int, int], str]()
    for row in suspects:
        where = f'{path}: rank {row.rank}'
        if row.image not in row_of or row.class_name not in column_of:
            raise ValueError(
                f'{where}: {row.image!r} and {row.class_name!r} must be an image and a class of '
                'the training data'
            )
        pair = row_of[row.image], column_of[row.class_name]
        if targets[pair] != row.label:
            raise ValueError(
                f'{where}: the label of {row.class_name!r} in {row.image!r} must be {row.label} as '
                f'in the list, got {targets[pair]}; make the list anew'
            )
        if seen.setdefault(pair, row.verdict) != row.verdict:
            raise ValueError(f'{where}: {row.image!r}, {row.class_name!r} has another verdict too')
        if row.verdict == YES:
            corrected[pair] = 1 - row.label
        elif row.verdict == UNSURE:
            corrected[pair] = -1
    return corrected
