"""ONNX export of a module, with a dynamic batch only where its scores stay right."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from mmmsf.utils.fold import fold_batch_norms


def _export(
    graph: nn.Module, images: Tensor, free: Sequence[int], opset: int, path: Path
) -> ExportedProgram:
    """Export for images of which the axes ``free`` are dynamic; return the traced program."""
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):  # the exporter prints
        graph(images)  # fills caches, which tracing cannot
        try:
            program = torch.onnx.export(
                graph,
                (images,),
                str(path),
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=({axis: torch.export.Dim.DYNAMIC for axis in free},),
                input_names=['images'],
                output_names=['scores'],
                external_data=False,
                verbose=False,
            )
        except Exception as error:  # the exporter raises many types, with pages of text
            cause = str(error.__cause__ or error).strip().splitlines() or ['']
            size, remedy = ('any', '; try a fixed size') if 2 in free else ('a fixed', '')
            raise ValueError(
                f"torch's exporter cannot export this model with {size} image size and opset "
                f'{opset} ({cause[0][:300]}){remedy}'
            ) from error
    assert program is not None and program.exported_program is not None
    return program.exported_program


def _keeps_batch(program: ExportedProgram, graph: nn.Module, images: Tensor) -> bool:
    """Return True if the program gives the scores of one and of three images as the model does.

    Some models compute the batch size by Python numbers, which tracing makes a constant.
    """
    module = program.module()
    for count in (1, 3):
        part = images[:1].expand(count, -1, -1, -1) * torch.rand(count, 1, 1, 1)
        with torch.no_grad():
            expected = graph(part)
            try:
                got = module(part)
            except Exception:  # a shape that the program did not foresee
                return False
        if got.shape != expected.shape or not torch.allclose(got, expected, rtol=0, atol=1e-4):
            return False
    return True


def trace_onnx(
    graph: nn.Module, size: tuple[int, int], any_size: bool, opset: int, path: Path
) -> bool:
    """Export with folded batch norms and, where the model allows it, a dynamic batch.

    Args:
        graph: Module from images (B, 3, H, W), 0 to 255, to scores (B, K).
        size: (height, width) of the images.
        any_size: Make height and width dynamic too.
        opset: Version of the operator set.
        path: File to write.

    Returns:
        True for a dynamic batch, False for single images.

    Raises:
        ValueError: The model cannot be exported.
    """
    images = torch.rand(2, 3, *size) * 255
    with torch.no_grad():
        fold_batch_norms(graph, lambda: graph(images))
    sides = (2, 3) if any_size else ()
    try:
        if _keeps_batch(_export(graph, images, (0, *sides), opset, path), graph, images):
            return True
    except ValueError:  # raised again below if the batch is not its reason
        pass
    _export(graph, images[:1], sides, opset, path)
    return False
