"""Times until the tools of this repository print: their help, and the first line of their work."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TOOLS = Path(__file__).resolve().parents[1]
CONFIG = TOOLS.parent / 'configs/msf/msf_resnet18_1xb16-10e_digits-64px.py'
SMALL = f"""
_base_ = '{CONFIG}'
images = dict(num_images=dict(train=32, val=32))
train_dataloader = dict(num_workers=0, dataset=images)
val_dataloader = dict(num_workers=0, dataset=images)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1)
"""
# In an order in which each finds the files of those before it.
WORK = {
    'train.py': 'small.py --work-dir run',
    'test.py': 'small.py run/epoch_1.pth --work-dir run --out val.npz',
    'predict.py': 'run/epoch_1.pth run/val/contact_sheet.png --out-dir shown',
    'publish_model.py': 'run/epoch_1.pth model.safetensors',
    'data/check_data.py': 'small.py',
    'data/browse_dataset.py': 'small.py --num 4 --out-dir browse',
    'analysis/tune_thresholds.py': 'val.npz --checkpoint run/epoch_1.pth --out tuned.pth',
    'analysis/calibrate.py': 'val.npz --checkpoint run/epoch_1.pth --out calibrated.pth',
    'analysis/compare.py': 'val.npz val.npz --resamples 10',
    'analysis/report.py': 'val.npz --out report.html',
    'analysis/get_flops.py': 'small.py',
    'deployment/export_onnx.py': 'small.py run/epoch_1.pth --out model.onnx',
    'deployment/quantize_onnx.py': 'model.onnx small.py --out int8.onnx',
}
# The others need data or weights that the repository does not have, or run until they are stopped.
HELP_ONLY = sorted(
    {str(path.relative_to(TOOLS)) for path in TOOLS.rglob('[!_]*.py')}
    - WORK.keys()
    - {str(path.relative_to(TOOLS)) for path in TOOLS.glob('[_b]*/*.py')}  # packages, benchmarks
)


class Start(NamedTuple):
    """Hold the times of one tool in seconds, each a median over the rounds; None if not run."""

    tool: str
    help: float
    first_line: float | None
    line: str


def first_line(folder: Path, tool: str, *arguments: str) -> tuple[float, str]:
    """Run a tool to its end; return the seconds to its first line of text, and that line.

    Raises:
        RuntimeError: The tool fails or prints nothing.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(TOOLS / tool), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    found, lines = 0.0, []
    for line in process.stdout:
        if line.strip() and not lines:
            found = time.perf_counter() - start
        lines += [line.strip()] if line.strip() else []
    if process.wait() or not lines:
        raise RuntimeError(f'{tool} {" ".join(arguments)}: exit {process.returncode}: {lines[-5:]}')
    return found, lines[0]


def measure_tools(rounds: int) -> Iterator[Start]:
    """Measure every tool in a folder of its own, which is removed at the end.

    Args:
        rounds: Fresh processes of each kind; one more before them fills the caches.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / 'small.py').write_text(SMALL)
        for tool in (*WORK, *HELP_ONLY):
            helps = [first_line(folder, tool, '--help')[0] for _ in range(rounds + 1)][1:]
            if tool in HELP_ONLY:
                yield Start(tool, statistics.median(helps), None, '')
                continue
            works = [first_line(folder, tool, *WORK[tool].split()) for _ in range(rounds + 1)][1:]
            seconds = statistics.median(seconds for seconds, _ in works)
            yield Start(tool, statistics.median(helps), seconds, works[-1][1])


def table(starts: Iterator[Start]) -> Iterator[str]:
    """Format the lines of a Markdown table, each as soon as it is measured."""
    yield '| tool | `--help`, s | first line, s | first line |'
    yield '|---|---|---|---|'
    for start in starts:
        first = 'not run' if start.first_line is None else f'{start.first_line:.2f}'
        line = start.line.split(' - INFO - ')[-1].replace('|', '/')
        line = f'`{line[:60]}{" ..." if len(line) > 60 else ""}`' if line else ''
        yield f'| {start.tool} | {start.help:.2f} | {first} | {line} |'
