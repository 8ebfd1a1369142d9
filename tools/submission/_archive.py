"""Result files for the PASCAL VOC 2012 evaluation server."""

import io
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from mmmsf.datasets.categories import VOC_CLASSES
from mmmsf.datasets.readers.image_sets import read_image_set
from mmmsf.evaluation.predictions import Predictions
from mmmsf.utils.atomic_file import atomic_file

COMPETITIONS = ('comp1', 'comp2')
FOLDER = 'results/VOC2012/Main'
ID_FORMAT = re.compile(r'\d{4}_\d{6}', re.ASCII)
MAX_LINE = 100  # bytes; a result line is shorter


def result_name(comp: str, class_name: str) -> str:
    """Return the path inside the archive of the scores of one class."""
    return f'{FOLDER}/{comp}_cls_test_{class_name}.txt'


def check_comp(comp: str) -> None:
    """Refuse an unknown classification competition of VOC 2012.

    Raises:
        ValueError: ``comp`` is not one of ``COMPETITIONS``.
    """
    if comp not in COMPETITIONS:
        raise ValueError(f'comp must be one of {list(COMPETITIONS)}, got {comp!r}')


def _name_some(ids: Sequence[str]) -> str:
    return ', '.join(ids[:5]) + (f' and {len(ids) - 5} more' if len(ids) > 5 else '')


def _check_format(ids: Sequence[str], where: str) -> None:
    bad = [image_id for image_id in ids if not ID_FORMAT.fullmatch(image_id)]
    if bad:
        raise ValueError(f'{where}: ids must look like 2012_000001, got {_name_some(bad)}')


def match_ids(found: Sequence[str], wanted: Sequence[str], where: str) -> list[int]:
    """Return the position of each wanted id among the found ones.

    Args:
        found: Image ids in any order.
        wanted: Official list of ids.
        where: Source of ``found``; opens the message.

    Raises:
        ValueError: The two are not the same ids once each; names the ids that are malformed,
            repeated, missing or surplus.
    """
    _check_format(found, where)
    place: dict[str, int] = {}
    repeated = []
    for i, image_id in enumerate(found):
        if image_id in place:
            repeated.append(image_id)
        place[image_id] = i
    if repeated:
        raise ValueError(
            f'{where}: {len(repeated)} ids occur more than once: {_name_some(repeated)}'
        )
    missing = [image_id for image_id in wanted if image_id not in place]
    official = set(wanted)
    surplus = [image_id for image_id in found if image_id not in official]
    if missing or surplus:
        raise ValueError(
            f'{where}: the ids must be those of the list; {len(missing)} are missing: '
            f'{_name_some(missing) or "-"}; {len(surplus)} are not in the list: '
            f'{_name_some(surplus) or "-"}'
        )
    return [place[image_id] for image_id in wanted]


def read_test_ids(path: str) -> list[str]:
    """Read the official list of test images.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: The list is empty, or an id is malformed or occurs twice.
    """
    ids = read_image_set(path)
    if not ids:
        raise ValueError(f'{path}: lists no image')
    _check_format(ids, path)
    return ids


def align_scores(predictions: Predictions, ids: Sequence[str]) -> NDArray[np.float32]:
    """Order the scores as the server expects them.

    Args:
        predictions: Predictions of the N test images, images and classes in any order.
        ids: N image ids.

    Returns:
        Shape (N, 20), rows in the order of ``ids``, columns in that of ``VOC_CLASSES``.

    Raises:
        ValueError: The images are not those of ``ids``, the classes are not VOC's, or a score is
            NaN or infinite (names image and class).
    """
    classes = [str(name) for name in predictions.classes]
    if sorted(classes) != sorted(VOC_CLASSES):
        raise ValueError(f'the predictions must be of the 20 VOC classes, got {classes}')
    # Splits at both kinds of slash
    found = [PureWindowsPath(str(name)).stem for name in predictions.names]
    scores = predictions.scores
    if scores.shape != (len(found), len(classes)):
        raise ValueError(
            f'the predictions hold {len(found)} images and {len(classes)} classes, '
            f'but scores of shape {scores.shape}'
        )
    rows = match_ids(found, ids, 'the predictions')
    bad = np.argwhere(~np.isfinite(scores))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f'{len(bad)} scores are NaN or infinite, the first is that of '
            f'{found[row]} for {classes[column]}: {scores[row, column]}'
        )
    columns = [classes.index(name) for name in VOC_CLASSES]
    return scores[np.ix_(rows, columns)]


def _format_score(score: np.floating) -> str:
    # The shortest digits that round-trip: rounding would make ties, which change AP
    return np.format_float_positional(score, unique=True, trim='0')


def write_submission(
    path: str | Path, ids: Sequence[str], scores: NDArray[np.floating], comp: str = 'comp1'
) -> None:
    """Write the archive atomically and check it.

    Args:
        path: File to write (``.tar.gz``); replaced if it exists.
        ids: N image ids.
        scores: Finite scores in the order of ``VOC_CLASSES``, shape (N, 20).
        comp: 'comp1' for training on VOC 2012 data alone, 'comp2' with other data.

    Raises:
        ValueError: ``comp`` is unknown, or the shapes do not agree.
    """
    check_comp(comp)
    if scores.shape != (len(ids), len(VOC_CLASSES)):
        raise ValueError(
            f'scores must have the shape {(len(ids), len(VOC_CLASSES))}, got {scores.shape}'
        )
    with atomic_file(path, shared=True) as partial:
        with tarfile.open(partial, 'w:gz', format=tarfile.USTAR_FORMAT) as archive:
            for name, column in zip(VOC_CLASSES, scores.T, strict=True):
                text = ''.join(
                    f'{image_id} {_format_score(score)}\n'
                    for image_id, score in zip(ids, column, strict=True)
                )
                member = tarfile.TarInfo(result_name(comp, name))
                member.size = len(text)  # ASCII
                archive.addfile(member, io.BytesIO(text.encode('ascii')))
        check_submission(partial, ids, comp)


def _read_lines(content: bytes, where: str) -> tuple[list[str], list[float]]:
    ids, scores = [], []
    for number, line in enumerate(content.decode('ascii', 'replace').splitlines(), start=1):
        columns = line.split(' ')
        try:
            image_id, score = columns[0], float(columns[1])
        except (IndexError, ValueError):
            score = np.nan
        if len(columns) != 2 or not np.isfinite(score):
            raise ValueError(
                f'{where}: line {number} must be an id, a blank and a finite score, '
                f'got {line[:MAX_LINE]!r}'
            )
        ids.append(image_id)
        scores.append(score)
    return ids, scores


def check_submission(path: str | Path, ids: Sequence[str], comp: str) -> NDArray[np.float64]:
    """Read an archive back in memory and check it.

    Args:
        path: Archive (``.tar.gz``).
        ids: N image ids.
        comp: 'comp1' or 'comp2'.

    Returns:
        Scores in the order of ``ids`` and ``VOC_CLASSES``, shape (N, 20).

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: The file is not an archive, lacks one of the 20 files or has another one, or a
            file does not hold exactly the ids with a finite score each.
    """
    check_comp(comp)
    columns = {}
    try:
        with tarfile.open(path, 'r:gz') as archive:
            for member in archive:
                where = f'{path}: {member.name}'
                if not member.isfile() or member.size > MAX_LINE * len(ids):
                    raise ValueError(f'{where} is not a plain file of the right size')
                if member.name in columns:
                    raise ValueError(f'{where} occurs twice')
                stream = archive.extractfile(member)
                assert stream is not None  # it is a plain file
                found, scores = _read_lines(stream.read(), where)
                columns[member.name] = np.array(scores)[match_ids(found, ids, where)]
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f'{path}: not a complete tar.gz archive ({error})') from error
    wanted = [result_name(comp, name) for name in VOC_CLASSES]
    missing, surplus = sorted(set(wanted) - set(columns)), sorted(set(columns) - set(wanted))
    if missing or surplus:
        raise ValueError(
            f'{path}: must hold the files of the 20 classes for {comp}; missing: '
            f'{missing}; surplus: {surplus}'
        )
    return np.stack([columns[name] for name in wanted], axis=1)
