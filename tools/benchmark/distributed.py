"""Cost of sharing gradients between processes; run by ``python -m torch.distributed.run``."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

if TYPE_CHECKING:
    from _timing import Task

ALONE, SHARED, REDUCE = 'step, gradients kept', 'step, gradients shared', 'all-reduce alone'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        usage='python -m torch.distributed.run --nproc_per_node=N distributed.py CONFIG [options]',
        description='Time forward and backward passes of N processes, in turns with and without '
        'the sharing of gradients, and the all-reduce of as many bytes by itself. One GPU a '
        'process (NCCL), or CPUs (gloo). The main process prints a Markdown table.',
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--batch', type=int, default=1, help='images a process (default: 1)')
    parser.add_argument(
        '--size',
        type=int,
        default=448,
        metavar='PX',
        help='side of the square images (default: 448)',
    )
    parser.add_argument('--rounds', type=int, default=7, help='default: %(default)s')
    parser.add_argument(
        '--threads', type=int, default=1, metavar='T', help='CPU threads of a process (default: 1)'
    )
    args = parser.parse_args()
    for name in ('batch', 'size', 'rounds', 'threads'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1, got {getattr(args, name)}')
    if 'LOCAL_RANK' not in os.environ:
        parser.error('start it with python -m torch.distributed.run --nproc_per_node=N')
    return args


def make_tasks(row: Any, batch: int, size: int, device: str) -> tuple[dict[str, 'Task'], int]:
    """Make the timed tasks, and count the bytes of the gradients."""
    import torch
    import torch.distributed as dist
    from _runtimes import random_batch
    from _timing import Task
    from torch.nn.parallel import DistributedDataParallel

    model = row.model.to(device).train()
    ddp = DistributedDataParallel(model)
    images, samples = random_batch(
        model.head.num_classes, batch, (size, size), torch.device(device)
    )
    flat = torch.zeros(sum(p.numel() for p in model.parameters() if p.requires_grad), device=device)

    def step() -> None:
        ddp(images, samples, mode='loss')['loss'].backward()

    def alone() -> None:
        with ddp.no_sync():
            step()

    def clear() -> None:
        model.zero_grad()
        dist.barrier()

    return {
        ALONE: Task(alone, clear),
        SHARED: Task(step, clear),
        REDUCE: Task(lambda: dist.all_reduce(flat), clear),
    }, flat.numel() * 4


def report(seconds: dict[str, list[float]], gradient_bytes: int, processes: int) -> str:
    """Format medians with quartiles, ratios round by round, and the bandwidth of a ring."""
    from _timing import Spread, digits

    lines = ['| what | ms | ratio |', '|---|---|---|']
    for name, values in seconds.items():
        ratio = Spread.of([a / b for a, b in zip(values, seconds[ALONE], strict=True)])
        lines.append(f'| {name} | {Spread.of([1e3 * v for v in values])} | {ratio} |')
    sent = 2 * (processes - 1) / processes * gradient_bytes  # by each process in a ring
    rate = sent / Spread.of(seconds[REDUCE]).median
    lines.append(
        f'\n{processes} processes, {gradient_bytes:,} bytes of gradients (float32), '
        f'{sent:,.0f} bytes sent by each: {digits(rate / 1e9)} GB/s'
    )
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    harden()

    import torch
    import torch.distributed as dist
    from _machine import describe_run
    from _rows import read_rows
    from _timing import measure

    import mmmsf  # noqa: F401  checks the frameworks and registers the components

    torch.set_num_threads(args.threads)
    cuda = torch.cuda.is_available()
    rank = int(os.environ['LOCAL_RANK'])
    device = f'cuda:{rank}' if cuda else 'cpu'
    dist.init_process_group('nccl' if cuda else 'gloo')
    try:
        torch.manual_seed(dist.get_rank())
        (row,) = read_rows([args.config], None, None)
        tasks, gradient_bytes = make_tasks(row, args.batch, args.size, device)
        seconds = measure(
            tasks, args.rounds, synchronize=torch.cuda.synchronize if cuda else lambda: None
        )
        if dist.get_rank() == 0:
            print(describe_run(['python', *sys.argv], device))
            print(f'\n{report(seconds, gradient_bytes, dist.get_world_size())}')
    finally:
        dist.destroy_process_group()


if __name__ == '__main__':
    main()
