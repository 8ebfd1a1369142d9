"""Web page of ``tools/demo/demo.py``."""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from _photo import MAX_PIXELS, Seen, draw_class, look
from numpy.typing import NDArray

from mmmsf.apis.inferencer import MultiLabelInferencer
from mmmsf.checkpoint.loading import LoadedModel
from mmmsf.models.heads.attention_maps import map_kind
from mmmsf.utils.groups import Group, exclusive_decisions
from mmmsf.utils.printable import printable

if TYPE_CHECKING:
    import gradio

HINT = '<div class="bars">Drop a photograph to see its labels.</div>'
CALIBRATED = '<div class="bars">Calibrated: a label with 0.8 is right 8 times of 10.</div>'
CSS = """
.bars { font: 14px system-ui, sans-serif; }
.bars .row { display: flex; align-items: center; margin: 3px 0; }
.bars .name { width: 34%; overflow-wrap: anywhere; padding-right: 8px; text-align: right; }
.bars .track { position: relative; flex: 1; height: 16px; background: #8883; }
.bars .fill { height: 100%; background: #0072b2; }
.bars .mark { position: absolute; top: -2px; bottom: -2px; width: 2px; background: #d55e00; }
.bars .score { width: 52px; text-align: right; font-variant-numeric: tabular-nums; }
"""


def bars_html(
    scores: NDArray[np.float32],
    thresholds: NDArray[np.float32],
    classes: Sequence[str],
    groups: Sequence[Group] = (),
) -> str:
    """Draw bars of the classes whose score is at least their threshold, highest first.

    Args:
        scores: (K,) 0 to 1.
        thresholds: (K,), drawn as marks.
        classes: K names, which are escaped.
        groups: Exclusive groups, whose rules the choice keeps.
    """
    order = np.argsort(-scores, kind='stable')
    decided = exclusive_decisions(scores >= thresholds, scores, groups)
    rows = [
        f'<div class="row"><div class="name">{html.escape(printable(classes[k]))}</div>'
        f'<div class="track"><div class="fill" style="width:{100 * scores[k]:.1f}%"></div>'
        f'<div class="mark" style="left:{100 * min(max(thresholds[k], 0), 1):.1f}%"></div></div>'
        f'<div class="score">{scores[k]:.3f}</div></div>'
        for k in order
        if decided[k]
    ]
    return f'<div class="bars">{"".join(rows) or "No class reaches its threshold."}</div>'


def class_choices(scores: NDArray[np.float32], classes: Sequence[str]) -> list[tuple[str, int]]:
    """List text and index of every class, highest score first."""
    return [
        (f'{printable(classes[k])} ({scores[k]:.3f})', int(k))
        for k in np.argsort(-scores, kind='stable')
    ]


def _upload_path(payload: Any) -> str | None:
    """Return the path of an upload without opening it, so that errors get our message."""
    return None if payload is None else payload.path


class _Page:
    """Handle the events of the page; the model runs in :meth:`new_image` only."""

    def __init__(self, loaded: LoadedModel, gr: Any, max_pixels: int = MAX_PIXELS) -> None:
        self.inferencer = MultiLabelInferencer(loaded)
        self.loaded = loaded
        self.gr = gr
        self.max_pixels = max_pixels

    def new_image(self, path: str | None, own: bool, threshold: float, scale: str) -> tuple:
        """Predict an uploaded photograph, or clear the page where ``path`` is None.

        Returns:
            State, bars, choice of the class, choice of the scale, and attention.
        """
        if path is None:
            return None, HINT, self.gr.Dropdown(choices=[], value=None), self.gr.Radio(), None
        try:
            seen = look(self.inferencer, path, self.max_pixels)
        except (ValueError, OSError) as error:
            raise self.gr.Error(html.escape(printable(error))) from error
        choices = class_choices(seen.scores, self.loaded.classes)
        scale = scale if scale in seen.maps else 'sum'
        return (
            seen,
            self.bars(seen, own, threshold),
            self.gr.Dropdown(choices=choices, value=choices[0][1]),
            self.gr.Radio(choices=[*seen.maps, 'sum'], value=scale),
            self.attention(seen, choices[0][1], scale),
        )

    def bars(self, seen: Seen | None, own: bool, threshold: float) -> str:
        """Draw the bars at the model's own thresholds or at one for all classes."""
        if seen is None:
            return HINT
        values = (
            self.loaded.thresholds
            if own
            else np.full(len(seen.scores), threshold, seen.scores.dtype)
        )
        bars = bars_html(seen.scores, values, self.loaded.classes, self.loaded.groups)
        return f'{CALIBRATED}{bars}' if self.loaded.calibrated else bars

    def moved(self, seen: Seen | None, threshold: float) -> tuple[bool, str]:
        """Apply the slider's threshold to all classes."""
        return False, self.bars(seen, False, threshold)

    def attention(self, seen: Seen | None, label: int | None, scale: str) -> NDArray | None:
        """Draw the attention of one class at one scale."""
        if seen is None or label is None or not seen.maps:
            return None
        return draw_class(seen, label, scale)


def build_demo(loaded: LoadedModel, max_pixels: int = MAX_PIXELS) -> 'gradio.Blocks':
    """Build the page, to serve with ``launch(css=CSS)``.

    Args:
        loaded: Trained model.
        max_pixels: Limit of a photograph's pixels, checked in its header.

    Raises:
        ImportError: Gradio is not installed.
    """
    try:
        import gradio as gr
    except ImportError as error:
        raise ImportError("the demo needs Gradio: pip install 'mmmsf[demo]'") from error
    page = _Page(loaded, gr, max_pixels)
    kind = map_kind(loaded.model)
    title = 'class activation map' if kind == 'activation' else 'attention'
    with gr.Blocks(title='mmmsf', analytics_enabled=False, delete_cache=(600, 3600)) as demo:
        seen = gr.State(None, time_to_live=3600)
        with gr.Row():
            with gr.Column():
                image: Any = gr.Image(
                    type='filepath',
                    image_mode=None,
                    label='photograph',
                    sources=['upload', 'clipboard'],
                    buttons=[],
                    height=340,
                    elem_id='photo',
                )
                # Set on the object, since Gradio writes a .pyi file beside a subclass.
                image.preprocess = _upload_path
                own = gr.Checkbox(True, label='each class at its own threshold', elem_id='own')
                slider = gr.Slider(
                    0,
                    1,
                    0.5,
                    step=0.01,
                    label='one threshold for all classes',
                    buttons=[],
                    elem_id='threshold',
                )
            with gr.Column():
                bars = gr.HTML(HINT, elem_id='bars')
            with gr.Column(visible=kind is not None):
                label = gr.Dropdown([], label=f'{title} of the class', elem_id='label')
                scale = gr.Radio(['sum'], value='sum', label='scale', elem_id='scale')
                heat = gr.Image(label=title, interactive=False, buttons=[], elem_id='heat')
        options: dict[str, Any] = dict(api_visibility='private', show_progress='minimal')
        image.change(
            page.new_image,
            [image, own, slider, scale],
            [seen, bars, label, scale, heat],
            **options,
        )
        own.input(page.bars, [seen, own, slider], bars, **options)
        slider.input(page.moved, [seen, slider], [own, bars], trigger_mode='always_last', **options)
        for control in (label, scale):
            control.input(page.attention, [seen, label, scale], heat, **options)
    return demo
