"""Which checkpoint a run goes on from."""

import logging
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.logging import print_log

from mmmsf.checkpoint.safe_globals import register_safe_globals

TEMPLATES = ('epoch_{}.pth', 'iter_{}.pth')


def checkpoint_fault(path: str | Path) -> str | None:
    """Why a run cannot go on from the file; None if it can.

    Checks the archive's check sums and that it holds what MMEngine resumes from. The tensors are
    not copied into memory.
    """
    try:
        if not zipfile.is_zipfile(path):
            return f'cut off or no checkpoint, {Path(path).stat().st_size} bytes'
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            return f'its part {damaged} is damaged'
        register_safe_globals()
        checkpoint = torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    except Exception as error:  # a damaged file makes the readers raise almost anything
        return f'{type(error).__name__}: {(str(error).splitlines() or [""])[0]}'
    missing = [
        key
        for key in ('meta', 'state_dict', 'message_hub')
        if not isinstance(checkpoint, dict) or key not in checkpoint
    ]
    return f'it has no {", ".join(missing)}' if missing else None


def _number(path: Path, templates: Sequence[str]) -> int | None:
    for template in templates:
        match = re.fullmatch(re.escape(template).replace(r'\{\}', r'(\d+)'), path.name)
        if match:
            return int(match[1])
    return None


def _named(work_dir: Path) -> Path | None:
    """The file that ``last_checkpoint`` names, also where the work dir has been moved."""
    note = work_dir / 'last_checkpoint'
    text = note.read_text(errors='replace').strip() if note.is_file() else ''
    if not text:
        return None
    here, there = work_dir / Path(text).name, Path(text)
    known = (there.is_absolute() and there.parent.is_dir()) or there.exists()
    return there if known and not here.exists() else here


def _candidates(work_dir: Path, templates: Sequence[str]) -> list[Path]:
    """Checkpoints, the newest first.

    The one of ``last_checkpoint`` comes first, unless the run was killed just before it could
    write that file. Times alone are not enough (a copied folder has new ones), and neither are
    numbers (the folder may hold a longer run from before).
    """
    named = _named(work_dir)
    folder = named.parent if named else work_dir
    number_of = {
        path: number
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (number := _number(path, templates)) is not None
    }
    time_of = {path: path.stat().st_mtime_ns for path in number_of}
    newest = sorted(number_of, key=lambda path: (time_of[path], number_of[path]), reverse=True)
    if named is not None and named.exists():
        time, number = named.stat().st_mtime_ns, number_of.pop(named, -1)
        later = [
            path
            for path in newest
            if path in number_of and time_of[path] > time and number_of[path] > number
        ]
        newest = [*later, named, *(path for path in newest if path not in (*later, named))]
    return newest


def find_checkpoint(work_dir: str | Path, templates: Sequence[str] = TEMPLATES) -> Path | None:
    """The newest whole checkpoint of a work dir; one that is not whole is named in a warning.

    Args:
        work_dir: where ``last_checkpoint`` is.
        templates: names of the files, ``{}`` for the number of the epoch or step.

    Returns:
        Its path; None where no checkpoint was ever written.

    Raises:
        ValueError: there are checkpoints, but none is whole.
    """
    faults = []
    for path in _candidates(Path(work_dir), templates):
        fault = checkpoint_fault(path)
        if fault is None:
            return path
        faults.append(f'{path} ({fault})')
        print_log(
            f'Not a whole checkpoint, the one before it is tried: {faults[-1]}',
            logger='current',
            level=logging.WARNING,
        )
    if faults:
        raise ValueError(
            f'no checkpoint in {work_dir} is whole: {", ".join(faults)}; remove them to begin anew'
        )
    return None
