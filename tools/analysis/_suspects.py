"""Table of suspect labels: written for a reviewer, and read with the verdicts."""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from mmmsf.datasets.readers.files import read_text
from mmmsf.utils.atomic_file import write_atomically

YES, NO, UNSURE = 'yes', 'no', 'unsure'
VERDICTS = (YES, NO, UNSURE, '')
SUGGESTIONS = {'0': 'add', '1': 'remove'}


@dataclass(frozen=True)
class Suspect:
    """Hold one suspect pair of image and class, a row of the table.

    Attributes:
        rank: Place in the list, from 1.
        image: Path of the image relative to the image folder.
        class_name: Class.
        label: 1 marked, 0 not.
        score: Score of a model that has not seen the image.
        likelihood: Likelihood that the label is wrong.
        suggestion: ``'add'`` the mark or ``'remove'`` it.
        verdict: Of the reviewer: yes (follow the suggestion), no, unsure (the label becomes
            unknown); blank for a pair that was not looked at.
    """

    rank: int
    image: str
    class_name: str
    label: int
    score: float
    likelihood: float
    suggestion: str
    verdict: str = ''


COLUMNS = tuple('class' if x.name == 'class_name' else x.name for x in fields(Suspect))


def write_suspects(path: Path, suspects: Sequence[Suspect]) -> None:
    """Write the table atomically.

    Raises:
        ValueError: ``path`` has verdicts, which would be lost.
    """
    if path.exists() and any(row.verdict for row in read_suspects(path)):
        raise ValueError(f'{path} has verdicts, which would be lost; name another --out')
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(COLUMNS)
    writer.writerows(map(astuple, suspects))
    write_atomically(path, text.getvalue().encode())


def _suspect(row: dict[str, str], where: str) -> Suspect:
    """Check one row of the table."""
    verdict = (row['verdict'] or '').strip().lower()
    if verdict not in VERDICTS:
        raise ValueError(
            f'{where}: verdict must be yes (follow the suggestion), no, unsure or blank, got '
            f'{verdict!r}'
        )
    if SUGGESTIONS.get(row['label']) != row['suggestion']:
        raise ValueError(
            f'{where}: label and suggestion must be 0 and add, or 1 and remove, got '
            f'{row["label"]!r} and {row["suggestion"]!r}'
        )
    try:
        rank, score, likelihood = int(row['rank']), float(row['score']), float(row['likelihood'])
    except (TypeError, ValueError) as error:
        raise ValueError(f'{where}: rank, score and likelihood must be numbers') from error
    pair = row['image'], row['class'], int(row['label'])
    return Suspect(rank, *pair, score, likelihood, row['suggestion'], verdict)


def read_suspects(path: Path) -> list[Suspect]:
    """Read a table with or without verdicts.

    Raises:
        OSError: ``path`` does not exist or cannot be read.
        ValueError: It is no such table, or a verdict is none of ``VERDICTS``; names the line.
    """
    lines = read_text(str(path), 'list of suspect labels').splitlines()
    reader = csv.DictReader(lines)
    if not set(COLUMNS) <= set(reader.fieldnames or ()):
        raise ValueError(f'{path}: line 1 must name the columns {", ".join(COLUMNS)}')
    return [_suspect(row, f'{path}: line {reader.line_num}') for row in reader]
