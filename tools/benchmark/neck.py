"""Time of the neck's scale attention by memory layout, and against matrix products."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

if TYPE_CHECKING:
    from _timing import Task
    from torch import Tensor

    from mmmsf.models import MSFNeck

Call = Callable[[list['Tensor']], list['Tensor']]  # maps -> fused maps


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Time the scale attention, and the neck on NCHW inputs, up to the tokens '
        '(B, N, C) that the head takes: with maps in NCHW, in channels_last (the default of the '
        'neck), and with resizes as products with constant matrices. The results are compared '
        'first. Medians with quartiles; ratios to the first row of each part.'
    )
    parser.add_argument('--batch', type=int, default=8, help='default: %(default)s')
    parser.add_argument(
        '--size', type=int, default=448, metavar='PX', help='image size (default: %(default)s)'
    )
    parser.add_argument('--embed-dims', type=int, default=512, help='default: %(default)s')
    parser.add_argument(
        '--in-channels', type=int, nargs=2, default=[1024, 2048], help='default: 1024 2048'
    )
    parser.add_argument(
        '--interpolation',
        choices=['bilinear', 'bicubic', 'area', 'nearest'],
        default='bilinear',
        help='default: %(default)s',
    )
    parser.add_argument('--rounds', type=int, default=15, help='default: %(default)s')
    parser.add_argument('--threads', type=int, metavar='T', help='CPU threads (default: all cores)')
    parser.add_argument('--device', default='cpu', help='default: %(default)s')
    args = parser.parse_args()
    numbers = [args.batch, args.size, args.embed_dims, *args.in_channels, args.rounds]
    if min(numbers) < 1 or (args.threads or 1) < 1:
        parser.error('batch, size, channels, rounds and threads must be at least 1')
    return args


@cache
def resize_matrix(old: int, new: int, mode: str, device: str) -> 'Tensor':
    """Make the (new, old) matrix that resizes one axis."""
    import torch

    from mmmsf.models.layers import resize_map

    identity = torch.eye(old, device=device).view(1, old, old, 1)
    return resize_map(identity, (new, 1), mode)[0, :, :, 0].t().contiguous()


def attend_by_matrices(neck: 'MSFNeck', maps: list['Tensor']) -> list['Tensor']:
    """Apply the neck's scale attention with resizes as matrix products."""

    def resize(x: 'Tensor', size: tuple[int, int]) -> 'Tensor':
        (h, w), mode, device = x.shape[-2:], neck.interpolation, str(x.device)
        if (h, w) == size:
            return x
        rows = resize_matrix(h, size[0], mode, device)
        cols = resize_matrix(w, size[1], mode, device)
        return rows @ (x @ cols.t())

    sizes = [(x.shape[-2], x.shape[-1]) for x in maps]
    large, medium, small = (resize(x, sizes[0]) for x in maps)
    product = large * medium * small
    return [
        resize(x + product, size) for x, size in zip((large, medium, small), sizes, strict=True)
    ]


def make_calls(neck: 'MSFNeck') -> dict[tuple[str, str], Call]:
    """Make the compared calls by part and layout."""

    def convolve(inputs: list['Tensor']) -> list['Tensor']:
        sources = (inputs[0], inputs[1], inputs[1])
        return [conv(x) for conv, x in zip(neck.convs.values(), sources, strict=True)]

    attention = neck.scale_attention
    return {
        ('scale attention', 'NCHW'): attention,
        ('scale attention', 'channels_last'): attention,
        ('scale attention', 'matrices, NCHW'): lambda maps: attend_by_matrices(neck, maps),
        ('neck', 'NCHW'): lambda inputs: attention(convolve(inputs)),
        ('neck', 'channels_last'): lambda inputs: list(neck(inputs)),
        ('neck', 'matrices, NCHW'): lambda inputs: attend_by_matrices(neck, convolve(inputs)),
    }


def make_inputs(args: argparse.Namespace) -> dict[str, list['Tensor']]:
    """Draw the neck's inputs, and the maps of the scale attention, as leaves of a graph."""
    import torch

    sides = [-(-args.size // stride) for stride in (16, 32, 64)]

    def draw(channels: list[int]) -> list['Tensor']:
        return [
            torch.randn(args.batch, C, side, side, device=args.device, requires_grad=True)
            for C, side in zip(channels, sides, strict=False)
        ]

    return {'scale attention': draw([args.embed_dims] * 3), 'neck': draw(args.in_channels)}


def make_task(call: Call, inputs: list['Tensor'], train: bool) -> 'Task':
    """Make the task of a call up to the tokens, or of its forward and backward pass."""
    import torch
    from _timing import Task

    def run() -> None:
        with torch.set_grad_enabled(train):
            maps = call(inputs)
            tokens = torch.cat([x.flatten(2).transpose(1, 2) for x in maps], dim=1)  # (B, N, C)
            if train:
                tokens.backward(torch.ones_like(tokens))

    def clear() -> None:
        for x in inputs:
            x.grad = None

    return Task(run, clear)


def table(seconds: dict[tuple[str, str, str], list[float]]) -> str:
    """Format one line for each part, layout and work."""
    from _timing import Spread

    lines = ['| part | layout | what | ms | time ratio |', '|---|---|---|---|---|']
    for (part, layout, what), values in seconds.items():
        ratios = [a / b for a, b in zip(values, seconds[part, 'NCHW', what], strict=True)]
        times = Spread.of([1000 * x for x in values])
        lines.append(f'| {part} | {layout} | {what} | {times} | {Spread.of(ratios)} |')
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    harden()

    import torch
    from _machine import describe_run, load_average
    from _measure import Options
    from _timing import measure

    from mmmsf.models import MSFNeck

    torch.set_num_threads(args.threads or os.cpu_count() or 1)
    print(describe_run(['python', *sys.argv], args.device), flush=True)
    torch.manual_seed(0)
    neck = MSFNeck(args.in_channels, args.embed_dims, interpolation=args.interpolation)
    neck = neck.to(args.device)
    inputs = make_inputs(args)
    last = [
        x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        for x in inputs['scale attention']
    ]
    tasks, first = {}, {}
    for (part, layout), call in make_calls(neck).items():
        own = last if (part, layout) == ('scale attention', 'channels_last') else inputs[part]
        maps = call(own)
        for x, expected in zip(maps, first.setdefault(part, maps), strict=True):
            torch.testing.assert_close(x, expected, rtol=1e-3, atol=1e-3)
        for what in ('forward', 'forward + backward'):
            tasks[part, layout, what] = make_task(call, own, what != 'forward')
    first.clear()
    seconds = measure(tasks, args.rounds, synchronize=Options(args.device).synchronize)
    print(f'\nequal results\n\n{table(seconds)}\n\nload average: {load_average()}')


if __name__ == '__main__':
    main()
