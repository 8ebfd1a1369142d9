"""Steps after the config: training, evaluation, report, predictions, ONNX, summary."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmmsf.checkpoint.thresholds import find_thresholds
from mmmsf.engine.resume.find_checkpoint import find_checkpoint
from mmmsf.evaluation import Predictions
from mmmsf.evaluation.functional import average_precision, threshold_metrics

TOOLS = Path(__file__).resolve().parents[1]
PICTURES = 12  # images to predict
ENDS = 3  # best and worst classes of the summary
TAIL = 15  # lines of a failed step


@dataclass(frozen=True)
class Results:
    """Hold the paths of a run's results.

    Attributes:
        work_dir: Folder of the run.
        checkpoint: Last checkpoint.
    """

    work_dir: Path
    checkpoint: Path

    def file(self, name: str) -> str:
        """Return the path of a file in the work dir."""
        return str(self.work_dir / name)


def _run(name: str, work_dir: Path, tool: str, *arguments: str, shown: bool = False) -> None:
    """Run a tool in a process of its own and say how long it took.

    Raises:
        RuntimeError: It failed; names the command and ends with its last lines.
    """
    command = [sys.executable, str(TOOLS / tool), *arguments]
    log, start = work_dir / f'{name}.log', time.perf_counter()
    print(f'{name} ...', flush=True)
    if shown:
        code = subprocess.run(command, check=False).returncode
    else:
        with open(log, 'w', encoding='utf-8') as file:
            code = subprocess.run(
                command, check=False, stdout=file, stderr=subprocess.STDOUT
            ).returncode
    if code:
        text = '' if shown else log.read_text(encoding='utf-8', errors='replace')
        tail = '\n'.join(text.splitlines()[-TAIL:])
        raise RuntimeError(
            f'{name} failed with exit status {code}'
            + (f':\n{tail}\n(all of it: {log})' if tail else '')
            + f'\ncommand: {" ".join(command)}\nrun the same new_config.py again to go on'
        )
    print(f'{name}: {time.perf_counter() - start:.0f} s', flush=True)


def train_and_report(config: Path, work_dir: Path, examples: Sequence[str]) -> Results:
    """Train a config, or go on with it, and write all results into its work dir.

    Args:
        config: Config.
        work_dir: Folder of the run.
        examples: Images to predict.

    Raises:
        RuntimeError: A step failed; names it and its command.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    place = ('--work-dir', str(work_dir))
    _run('train', work_dir, 'train.py', str(config), '--resume', *place, shown=True)
    found = find_checkpoint(work_dir)
    if found is None:
        raise RuntimeError(f'{work_dir} holds no checkpoint after the training')
    results = Results(work_dir, found)
    checkpoint, predictions = str(results.checkpoint), results.file('predictions.npz')
    _run('test', work_dir, 'test.py', str(config), checkpoint, '--out', predictions, *place)
    _run(
        'report',
        work_dir,
        'analysis/report.py',
        predictions,
        *('--out', results.file('report.html'), '--attention-checkpoint', checkpoint),
    )
    out = results.file('predictions')
    chosen = list(examples[:: max(len(examples) // PICTURES, 1)])[:PICTURES]
    _run('predict', work_dir, 'predict.py', checkpoint, *chosen, '--out-dir', out, '--attention')
    onnx = results.file('model.onnx')
    _run('export', work_dir, 'deployment/export_onnx.py', str(config), checkpoint, '--out', onnx)
    return results


def _class_lines(names: Sequence[str], precision: np.ndarray, positives: np.ndarray) -> list[str]:
    order = [int(k) for k in np.argsort(-precision, kind='stable') if np.isfinite(precision[k])]

    def show(indices: Sequence[int]) -> str:
        return ', '.join(f'{names[k]} {100 * precision[k]:.0f} ({positives[k]})' for k in indices)

    if len(order) <= 2 * ENDS:
        return [f'AP of the classes (images): {show(order)}']
    return [
        f'best classes, AP (images): {show(order[:ENDS])}',
        f'worst classes: {show(order[-ENDS:])}',
    ]


def summarize(config: Path, results: Results) -> str:
    """Write the results of a run in a few lines, with the next commands."""
    found = Predictions.load(results.file('predictions.npz'))
    precision = average_precision(found.scores, found.targets)
    stored = find_thresholds(results.checkpoint) or [0.5] * len(precision)
    values = np.array(stored, found.scores.dtype)
    rates = threshold_metrics(found.scores, found.targets, values, groups=found.groups)
    tuned = sum(value != 0.5 for value in stored)
    where = f'thresholds tuned on these images for {tuned} classes, so too high' if tuned else '0.5'
    positives = (found.targets == 1).sum(axis=0)
    checkpoint = results.checkpoint
    lines = [
        f'{len(found.names)} validation images: mAP {100 * np.nanmean(precision):.1f}; CF1 '
        f'{100 * rates["CF1"]:.1f}, OF1 {100 * rates["OF1"]:.1f} at {where}',
        *_class_lines(found.classes.tolist(), precision, positives),
    ]
    if positives.min() < 10:
        lines.append('classes with fewer than 10 images: their AP says little')
    lines += [
        f'report:      {results.file("report.html")}',
        f'predictions: {results.file("predictions")}{"/pictures, predictions.csv"}',
        f'checkpoint:  {checkpoint}',
        f'ONNX:        {results.file("model.onnx")}',
        'next:',
        f'  python tools/predict.py {checkpoint} PHOTOS --out-dir predicted',
        f'  python tools/train.py {config}   # after a change of the config, in a new --work-dir',
        f'  python tools/publish_model.py {checkpoint} model.pth',
    ]
    return '\n'.join(lines)
