"""A page to try a trained model on photographs: ``tools/demo/demo.py``."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmmsf.apis.inferencer import MultiLabelInferencer
from mmmsf.checkpoint.loading import LoadedModel
from mmmsf.datasets.transforms import decode_image
from mmmsf.models.heads.attention_maps import has_attention_maps
from mmmsf.utils.printable import printable
from mmmsf.visualization.attention_geometry import Region, scale_region
from mmmsf.visualization.attention_map import ClassAttention, overlay

if TYPE_CHECKING:
    import gradio

MAX_PIXELS = 50_000_000  # of a photograph; decoded it takes three times as many bytes
SHOWN_SIDES = (320, 640)  # the longer side of the shown picture lies between these
HINT = '<div class="bars">Drop a photograph to see its labels.</div>'
CSS = """
.bars { font: 14px system-ui, sans-serif; }
.bars .row { display: flex; align-items: center; margin: 3px 0; }
.bars .name { width: 34%; overflow-wrap: anywhere; padding-right: 8px; text-align: right; }
.bars .track { position: relative; flex: 1; height: 16px; background: #8883; }
.bars .fill { height: 100%; background: #0072b2; }
.bars .mark { position: absolute; top: -2px; bottom: -2px; width: 2px; background: #d55e00; }
.bars .score { width: 52px; text-align: right; font-variant-numeric: tabular-nums; }
"""


@dataclass(eq=False)
class Seen:
    """What the model made of one photograph; K classes.

    Attributes:
        scores: (K,) float32.
        image: (h, w, 3) uint8 RGB, shrunk for showing.
        maps: attention by the name of its scale, float32 (K, h_i, w_i) each; may be empty.
        region: the part of ``image`` that the maps cover.
    """

    scores: NDArray[np.float32]
    image: NDArray[np.uint8]
    maps: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    region: Region = (0, 0, 1, 1)


def look(inferencer: MultiLabelInferencer, path: str | Path, max_pixels: int = MAX_PIXELS) -> Seen:
    """Run the model on one photograph.

    Raises:
        ValueError: the file is no whole image, or larger than ``max_pixels`` by its header;
            nothing of its size is allocated then.
    """
    image = decode_image(Path(path).read_bytes(), Path(path).name, max_pixels)
    attends = has_attention_maps(inferencer.model)
    found = inferencer(image, return_scores=True, return_attention=attends, show_progress=False)[0]
    seen = Seen(found['all_scores'], _shown(image))
    if attends:
        seen.maps = dict(
            zip(
                scale_names(inferencer.model, len(found['attention'])),
                found['attention'],
                strict=True,
            )
        )
        seen.region = scale_region(found['region'], image.shape[:2], seen.image.shape[:2])
    return seen


def _shown(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB of a size to show, from BGR (H, W, 3)."""
    picture = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
    longer = max(picture.size)
    scale = float(np.clip(longer, *SHOWN_SIDES)) / longer
    width, height = (max(1, round(side * scale)) for side in picture.size)
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    return np.asarray(picture.resize((width, height), method))


def scale_names(model: Any, count: int) -> list[str]:
    """The neck's names for the scales, or their numbers."""
    names = getattr(getattr(model, 'neck', None), 'scales', ())
    return list(names) if len(names) == count else [f'scale {i + 1}' for i in range(count)]


def draw_class(seen: Seen, label: int, scale: str) -> NDArray[np.uint8]:
    """The photograph under the attention of one class, RGB (h, w, 3).

    Args:
        seen: with attention maps.
        label: class index.
        scale: a key of ``seen.maps``, or ``'sum'``.
    """
    if scale == 'sum':
        values = ClassAttention('', [maps[label] for maps in seen.maps.values()]).total
    else:
        values = seen.maps[scale][label]
    return overlay(seen.image, values, seen.region)


def bars_html(
    scores: NDArray[np.float32], thresholds: NDArray[np.float32], classes: Sequence[str]
) -> str:
    """Bars of the classes whose score is at least their threshold, highest first.

    Args:
        scores: (K,) 0 to 1.
        thresholds: (K,), drawn as marks.
        classes: K names; escaped here.
    """
    order = np.argsort(-scores, kind='stable')
    rows = [
        f'<div class="row"><div class="name">{html.escape(printable(classes[k]))}</div>'
        f'<div class="track"><div class="fill" style="width:{100 * scores[k]:.1f}%"></div>'
        f'<div class="mark" style="left:{100 * min(max(thresholds[k], 0), 1):.1f}%"></div></div>'
        f'<div class="score">{scores[k]:.3f}</div></div>'
        for k in order
        if scores[k] >= thresholds[k]
    ]
    return f'<div class="bars">{"".join(rows) or "No class reaches its threshold."}</div>'


def class_choices(scores: NDArray[np.float32], classes: Sequence[str]) -> list[tuple[str, int]]:
    """Text and index of every class, highest score first."""
    return [
        (f'{printable(classes[k])} ({scores[k]:.3f})', int(k))
        for k in np.argsort(-scores, kind='stable')
    ]


def _upload_path(payload: Any) -> str | None:
    """The file that Gradio stored, not opened yet, so that every fault gets our message."""
    return None if payload is None else payload.path


class _Page:
    """The page's answers to its events; the model runs in :meth:`new_image` only."""

    def __init__(self, loaded: LoadedModel, gr: Any, max_pixels: int = MAX_PIXELS) -> None:
        self.inferencer = MultiLabelInferencer(loaded)
        self.loaded = loaded
        self.gr = gr
        self.max_pixels = max_pixels

    def new_image(self, path: str | None, own: bool, threshold: float, scale: str) -> tuple:
        """A photograph came or went: state, bars, choice of class, attention."""
        if path is None:
            return None, HINT, self.gr.Dropdown(choices=[], value=None), None
        try:
            seen = look(self.inferencer, path, self.max_pixels)
        except (ValueError, OSError) as error:
            raise self.gr.Error(html.escape(printable(error))) from error
        choices = class_choices(seen.scores, self.loaded.classes)
        return (
            seen,
            self.bars(seen, own, threshold),
            self.gr.Dropdown(choices=choices, value=choices[0][1]),
            self.attention(seen, choices[0][1], scale),
        )

    def bars(self, seen: Seen | None, own: bool, threshold: float) -> str:
        """The bars at the model's own thresholds or at one for all."""
        if seen is None:
            return HINT
        values = (
            self.loaded.thresholds
            if own
            else np.full(len(seen.scores), threshold, seen.scores.dtype)
        )
        return bars_html(seen.scores, values, self.loaded.classes)

    def moved(self, seen: Seen | None, threshold: float) -> tuple[bool, str]:
        """The slider moved: it now holds for all classes."""
        return False, self.bars(seen, False, threshold)

    def attention(self, seen: Seen | None, label: int | None, scale: str) -> NDArray | None:
        """The attention of one class at one scale."""
        return (
            None
            if seen is None or label is None or not seen.maps
            else draw_class(seen, label, scale)
        )


def build_demo(loaded: LoadedModel, max_pixels: int = MAX_PIXELS) -> 'gradio.Blocks':
    """Build the page; ``launch`` of the result serves it, with ``css=CSS``.

    Args:
        loaded: the model.
        max_pixels: photographs with more are refused by their header.

    Raises:
        ImportError: Gradio is not installed.
    """
    try:
        import gradio as gr
    except ImportError as error:
        raise ImportError("the demo needs Gradio: pip install 'mmmsf[demo]'") from error
    page = _Page(loaded, gr, max_pixels)
    attends = has_attention_maps(loaded.model)
    count = getattr(loaded.model.head, 'num_scales', 1)
    scales = [*scale_names(loaded.model, count), 'sum'] if attends else ['sum']
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
                # Of the object: for a subclass Gradio would write a .pyi beside this file.
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
            with gr.Column(visible=attends):
                label = gr.Dropdown([], label='attention of the class', elem_id='label')
                scale = gr.Radio(scales, value='sum', label='scale', elem_id='scale')
                heat = gr.Image(label='attention', interactive=False, buttons=[], elem_id='heat')
        options: dict[str, Any] = dict(api_visibility='private', show_progress='minimal')
        image.change(
            page.new_image, [image, own, slider, scale], [seen, bars, label, heat], **options
        )
        own.input(page.bars, [seen, own, slider], bars, **options)
        slider.input(page.moved, [seen, slider], [own, bars], trigger_mode='always_last', **options)
        for control in (label, scale):
            control.input(page.attention, [seen, label, scale], heat, **options)
    return demo
