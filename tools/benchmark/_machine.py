"""Conditions of a measurement: versions, processor, threads, load."""

import importlib
import os
import platform
import shlex
from collections.abc import Sequence
from pathlib import Path

import torch

_FAST = ('avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_bf16', 'amx_int8')


def _cpuinfo(key: str) -> str:
    """Return the first value of a key of /proc/cpuinfo, empty if there is none."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    return next((line.split(':', 1)[1].strip() for line in lines if line.startswith(key)), '')


def load_average() -> str:
    """Return the load average of the last 1, 5 and 15 minutes."""
    return ' '.join(f'{x:.2f}' for x in os.getloadavg()) if hasattr(os, 'getloadavg') else 'unknown'


def versions(
    names: Sequence[str] = ('mmmsf', 'torch', 'mmengine', 'mmpretrain', 'onnxruntime'),
) -> str:
    """List names and versions of the installed packages."""
    found = []
    for name in names:
        try:
            found.append(f'{name} {importlib.import_module(name).__version__}')
        except ImportError:
            continue
    return ', '.join(found)


def use_tf32(enabled: bool) -> None:
    """Enable or disable TF32 (10 bits of mantissa) for float32 products and convolutions on a GPU.

    By default torch uses it in convolutions alone, which matches neither peak.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = enabled


def describe_run(argv: Sequence[str], device: torch.device | str) -> str:
    """Describe command line, versions, processors, threads and load average, a line each."""
    flags = set(_cpuinfo('flags').split())
    cpu = _cpuinfo('model name') or platform.processor() or platform.machine()
    lines = [
        f'command: {shlex.join(argv)}',
        f'Python {platform.python_version()}, {versions()}',
        f'CPU: {cpu}, {os.cpu_count()} cores, {" ".join(x for x in _FAST if x in flags)}; '
        f'{torch.get_num_threads()} threads',
    ]
    if torch.device(device).type == 'cuda':
        tf32 = 'on' if torch.backends.cuda.matmul.allow_tf32 else 'off'
        lines.append(
            f'GPU: {torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}, TF32 {tf32}'
        )
    return '\n'.join([*lines, f'load average: {load_average()}'])
