"""Time of the head against the same head made of torch.nn's layers, branch by branch."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

if TYPE_CHECKING:
    from _timing import Task
    from torch import Tensor, nn


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Time MSFHead (alone, on random maps) and the same head made of '
        'torch.nn.TransformerEncoderLayer and MultiheadAttention, run per branch, with equal '
        'weights; first their outputs and gradients are compared. A training step is forward, '
        'loss, backward (down to the maps) and AdamW.'
    )
    parser.add_argument(
        '--what',
        nargs='+',
        choices=['inference', 'train'],
        default=['inference', 'train'],
        help='default: both',
    )
    parser.add_argument('--batch', type=int, nargs='+', default=[8], help='default: 8')
    parser.add_argument(
        '--size',
        type=int,
        default=448,
        metavar='PX',
        help='image size that the maps (strides 16, 32, 64) belong to (default: %(default)s)',
    )
    parser.add_argument('--num-classes', type=int, default=80, help='default: %(default)s')
    parser.add_argument('--embed-dims', type=int, default=512, help='default: %(default)s')
    parser.add_argument('--rounds', type=int, default=5, help='default: %(default)s')
    parser.add_argument(
        '--min-seconds',
        type=float,
        default=0.2,
        metavar='S',
        help='repeat a call in a round until it takes this (default: %(default)s)',
    )
    parser.add_argument('--threads', type=int, metavar='T', help='CPU threads (default: all cores)')
    parser.add_argument('--device', default='cpu', help='default: %(default)s')
    parser.add_argument('--tf32', action='store_true', help='GPU: float32 products in TF32')
    args = parser.parse_args()
    for name in ('batch', 'size', 'num_classes', 'embed_dims', 'rounds', 'threads'):
        values = getattr(args, name)
        if values is not None and min(values if isinstance(values, list) else [values]) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {values}')
    return args


def make_maps(batch: int, size: int, embed_dims: int, device: str) -> list['Tensor']:
    """Draw maps (B, C, h, w) at strides 16, 32 and 64."""
    import torch

    sides = [-(-size // stride) for stride in (16, 32, 64)]
    return [
        torch.randn(batch, embed_dims, side, side, device=device, requires_grad=True)
        for side in sides
    ]


def make_task(head: 'nn.Module', maps: list['Tensor'], targets: 'Tensor', what: str) -> 'Task':
    """Make the task of a forward pass, or of a training step with AdamW and asymmetric loss."""
    import torch
    from _timing import Task

    from mmmsf.models.losses import AsymmetricLoss

    def infer() -> None:
        with torch.no_grad():
            head(maps)

    optimizer, loss = torch.optim.AdamW(head.parameters(), lr=1e-6), AsymmetricLoss()

    def step() -> None:
        loss(head(maps), targets).backward()
        optimizer.step()
        optimizer.zero_grad()
        for x in maps:
            x.grad = None

    if what == 'inference':
        return Task(infer, head.eval)
    return Task(step, head.train)


def check_equal(heads: dict[str, 'nn.Module'], maps: list['Tensor']) -> None:
    """Compare logits and the gradients of the maps with the first head's, in both modes."""
    import torch

    expected: list[Tensor] = []
    for name, head in heads.items():
        with torch.no_grad():
            scores = head.eval()(maps)
        logits = head.train()(maps)
        found = [scores, logits, *torch.autograd.grad(logits.sum(), maps)]
        for ours, theirs in zip(expected or found, found, strict=True):
            torch.testing.assert_close(
                theirs, ours, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f'{name}: {text}'
            )
        expected = expected or found


def count_flops(head: 'nn.Module', maps: list['Tensor']) -> int:
    """Count the floating-point operations of a forward pass, attention included."""
    from _complexity import count_operations

    # In evaluation mode torch's own layer is one uncounted operator.
    return count_operations(lambda: head.train()(maps)).get_total_flops()


def main() -> None:
    args = parse_args()
    harden()
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # silences the profiler

    import torch
    from _machine import describe_run, load_average, use_tf32
    from _measure import TRAIN_COST, Options
    from _memory import kernel_launches, peak_bytes, resident_bytes
    from _table import Record, markdown_table
    from _timing import matmul_task, measure
    from _torch_head import TorchHead
    from torch import nn

    import mmmsf  # noqa: F401  checks the frameworks and registers the components
    from mmmsf.models.heads import MSFHead

    torch.set_num_threads(args.threads or os.cpu_count() or 1)
    use_tf32(args.tf32)
    print(describe_run(['python', *sys.argv], args.device), flush=True)
    torch.manual_seed(0)
    ours = MSFHead(args.num_classes, args.embed_dims).to(args.device)
    heads: dict[str, nn.Module] = {
        'torch.nn per branch': TorchHead(ours).to(args.device),
        'MSFHead': ours,
        'torch.nn, need_weights=True': TorchHead(ours, need_weights=True).to(args.device),
    }
    synchronize = Options(args.device).synchronize
    product, product_flops = matmul_task(torch.float32, args.device)
    for batch in args.batch:
        maps = make_maps(batch, args.size, args.embed_dims, args.device)
        targets = (torch.rand(batch, args.num_classes, device=args.device) < 0.1).float()
        use_tf32(False)
        check_equal(heads, maps)
        use_tf32(args.tf32)
        records = []
        for what in args.what:
            tasks = {name: make_task(head, maps, targets, what) for name, head in heads.items()}
            seconds = measure(
                {**tasks, 'product': product},
                args.rounds,
                args.min_seconds,
                synchronize=synchronize,
            )
            peak = product_flops / sorted(seconds['product'])[len(seconds['product']) // 2]
            for name, head in heads.items():
                flops = count_flops(head, maps) * (TRAIN_COST if what == 'train' else 1)
                tasks[name].prepare()
                memory = resident_bytes(head) + peak_bytes(tasks[name].run, args.device)
                launches = kernel_launches(tasks[name].run) if 'cuda' in args.device else None
                records.append(
                    Record(
                        name,
                        'eager',
                        what,
                        dict(batch=batch, px=args.size, classes=args.num_classes),
                        sum(p.numel() for p in head.parameters()),
                        flops,
                        seconds[name],
                        peak,
                        memory,
                        launches,
                    )
                )
        print(
            f'\nequal outputs and gradients\n\n{markdown_table(records)}'
            f'\nload average: {load_average()}',
            flush=True,
        )


if __name__ == '__main__':
    main()
