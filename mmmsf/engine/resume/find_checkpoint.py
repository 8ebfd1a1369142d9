"""The choice of the checkpoint that a run resumes from."""

import logging
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.logging import print_log

from mmmsf.checkpoint.safe_globals import safe_globals

TEMPLATES = ('epoch_{}.pth', 'iter_{}.pth')


def checkpoint_fault(path: str | Path) -> str | None:
    """Return the reason why a run cannot resume from the file, or None if it can.

    Verifies the checksums of the archive and the entries that MMEngine resumes from. The tensors
    are not copied into memory.
    """
    try:
        if not zipfile.is_zipfile(path):
            return f'truncated or no checkpoint, {Path(path).stat().st_size} bytes'
        with zipfile.ZipFile(path) as archive:
            corrupt = archive.testzip()
        if corrupt is not None:
            return f'its member {corrupt} is corrupt'
        with safe_globals():
            checkpoint = torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    except Exception as error:  # readers raise almost any type on a corrupt file
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
    """Find the file that ``last_checkpoint`` names, even if the work dir has been moved."""
    note = work_dir / 'last_checkpoint'
    text = note.read_text(errors='replace').strip() if note.is_file() else ''
    if not text:
        return None
    here, there = work_dir / Path(text).name, Path(text)
    known = (there.is_absolute() and there.parent.is_dir()) or there.exists()
    return there if known and not here.exists() else here


def _candidates(work_dir: Path, templates: Sequence[str]) -> list[Path]:
    """List the checkpoints, newest first.

    The one named by ``last_checkpoint`` comes first, unless the run was killed just before it
    wrote that file. Neither times (a copied folder has new ones) nor numbers (the folder may hold
    an earlier, longer run) are sufficient alone.
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
    """Find the newest valid checkpoint of a work dir; a warning names every corrupt one.

    Args:
        work_dir: Folder of ``last_checkpoint``.
        templates: File names, with ``{}`` for the number of the epoch or step.

    Returns:
        Path of the checkpoint, or None if there is none, valid or corrupt.

    Raises:
        ValueError: There are checkpoints, but none is valid.
    """
    faults = []
    for path in _candidates(Path(work_dir), templates):
        fault = checkpoint_fault(path)
        if fault is None:
            return path
        faults.append(f'{path} ({fault})')
        print_log(
            f'Corrupt checkpoint, trying the one before it: {faults[-1]}',
            logger='current',
            level=logging.WARNING,
        )
    if faults:
        raise ValueError(
            f'no checkpoint in {work_dir} is valid: {", ".join(faults)}; remove them to start anew'
        )
    return None
