"""Figures of the report page, as ``data:`` URIs.

Curves are SVG without text from the data, heat maps are PNG.
"""

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmmsf.evaluation.functional import SIZE_NAMES
from mmmsf.evaluation.functional.curves import DecisionCurve

from .numbers import GRID, RunNumbers

# Palette of Okabe and Ito, distinguishable with any colour vision
COLORS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000')
_STYLE: dict[Any, Any] = {
    'svg.fonttype': 'none',
    'svg.hashsalt': 'mmmsf',
    'font.family': 'sans-serif',
    'font.size': 9.0,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': '#e5e5e5',
    'grid.linewidth': 0.6,
    'path.simplify': True,
}


def color_of(run: int) -> str:
    """Return the colour of a run, by index, in all figures and tables."""
    return COLORS[run % len(COLORS)]


@contextmanager
def _figure(width: float, height: float, columns: int = 1) -> Iterator[tuple[Figure, list[Axes]]]:
    """Open a figure in the style of the page, without the global state of pyplot."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure((width, height), dpi=130, layout='constrained')
        yield figure, list(np.atleast_1d(figure.subplots(1, columns)))


def _uri(kind: str, content: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format='svg', metadata={'Date': None, 'Creator': None})
    return _uri('svg+xml', buffer.getvalue())


def _unit(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel=x, ylabel=y)


def draw_overall_curves(runs: Sequence[RunNumbers]) -> str:
    """Draw precision over recall of all decisions, and CF1 and OF1 over the threshold."""
    with _figure(10, 3.8, 2) as (figure, (left, right)):
        for i, run in enumerate(runs):
            left.plot(run.overall.recall, run.overall.precision, color=color_of(i))
            right.plot(GRID, run.of1, color=color_of(i))
            right.plot(GRID, run.cf1, color=color_of(i), linestyle='--')
        _unit(left, 'recall (OR)', 'precision (OP)')
        _unit(right, 'threshold, the same for all classes', 'OF1 (solid), CF1 (dashed)')
        return _svg(figure)


def draw_class_curves(
    curves: Sequence[DecisionCurve], thresholds: Sequence[float], best: Sequence[float]
) -> str:
    """Draw precision over recall and F1 over threshold of one class, a dot at the best F1.

    Args:
        curves: Curve of each run.
        thresholds: Threshold of the best F1 of each run.
        best: Best F1 of each run; NaN draws no dot.
    """
    with _figure(3.6, 1.7, 2) as (figure, (left, right)):
        for i, curve in enumerate(curves):
            left.plot(curve.recall, curve.precision, color=color_of(i), linewidth=1.2)
            right.plot(curve.thresholds, curve.f1, color=color_of(i), linewidth=1.2)
            right.plot([thresholds[i]], [best[i]], 'o', color=color_of(i), markersize=3)
        for axes in (left, right):
            axes.tick_params(labelsize=7, length=2, pad=1)
            axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        _unit(left, 'recall', 'precision')
        _unit(right, 'threshold', 'F1')
        for axes in (left, right):
            axes.xaxis.label.set_fontsize(7)
            axes.yaxis.label.set_fontsize(7)
        return _svg(figure)


def draw_sizes(runs: Sequence[RunNumbers]) -> str | None:
    """Draw bars of mAP by object size; None where no run has object sizes."""
    if all(run.report.ap_by_size is None for run in runs):
        return None
    width = 0.8 / len(runs)
    with _figure(5, 3) as (figure, (axes,)):
        for i, run in enumerate(runs):
            values = [run.report.summary.get(f'mAP_{name}', 0.0) for name in SIZE_NAMES]
            bars = axes.bar(
                np.arange(3) + (i - (len(runs) - 1) / 2) * width,
                values,
                0.9 * width,
                color=color_of(i),
            )
            labels = [
                f'{value:.1f}' if f'mAP_{name}' in run.report.summary else '-'
                for name, value in zip(SIZE_NAMES, values, strict=True)
            ]
            axes.bar_label(bars, labels, fontsize=8)
        axes.set(xticks=range(3), xticklabels=SIZE_NAMES, ylim=(0, 105), ylabel='mAP (%)')
        axes.grid(visible=False, axis='x')
        return _svg(figure)


def draw_calibration(runs: Sequence[RunNumbers]) -> str:
    """Draw frequency of positives over mean score, and the number of pairs in each bin."""
    with _figure(10, 3.8, 2) as (figure, (left, right)):
        left.plot([0, 1], [0, 1], color='#999999', linewidth=0.8, linestyle=':')
        for i, run in enumerate(runs):
            curve = run.calibration
            filled = curve.counts > 0
            left.plot(
                curve.confidence[filled],
                curve.frequency[filled],
                'o-',
                markersize=4,
                color=color_of(i),
            )
            edges = np.linspace(0, 1, curve.counts.size + 1)
            right.stairs(curve.counts, edges, color=color_of(i), linewidth=1.4)
        _unit(left, 'mean score of the bin', 'share of positives in the bin')
        right.set(xlabel='score', ylabel='(image, class) pairs', yscale='log', xlim=(0, 1))
        return _svg(figure)


def draw_pairs(matrix: NDArray[np.float64], labels: Sequence[str], difference: bool = False) -> str:
    """Draw a heat map of a (K, K) co-occurrence or of a difference of two.

    Args:
        matrix: 0 to 1, or -1 to 1 for a difference; NaN is grey.
        labels: K printable names; omitted where they would not be legible (K > 100).
        difference: Use a palette from blue (less) to red (more).
    """
    size = len(labels)
    inches = min(8.0, 3.2 + 0.12 * size)
    cmap = matplotlib.colormaps['RdBu_r' if difference else 'viridis'].with_extremes(bad='#dddddd')
    with _figure(inches, inches * 0.92) as (figure, (axes,)):
        # Most shares are small; the square root spreads them
        norm = Normalize(-1, 1) if difference else PowerNorm(0.5, 0, 1)
        image = axes.imshow(matrix, cmap=cmap, norm=norm, interpolation='nearest')
        axes.grid(visible=False)
        if size <= 100:
            short = [name if len(name) <= 18 else name[:17] + '…' for name in labels]
            font = float(np.clip(300 / size, 4.5, 9))
            # A dollar sign in a class name must not start a formula
            axes.set_xticks(range(size), short, rotation=90, fontsize=font, parse_math=False)
            axes.set_yticks(range(size), short, fontsize=font, parse_math=False)
        axes.tick_params(length=0)
        figure.colorbar(image, ax=axes, shrink=0.7, aspect=30)
        buffer = io.BytesIO()
        FigureCanvasAgg(figure).print_png(buffer, pil_kwargs=dict(optimize=True))
        return _uri('png', buffer.getvalue())
