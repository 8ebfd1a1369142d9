"""Evaluation by the authors' public code, to compare with ``tools/test.py`` as README.md says.

Their repository is imported from a clone of its own; a CPU is enough.
"""

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.distributed as dist
import torchvision
from torch import Tensor, nn

from mmmsf.checkpoint.files import read_file

NUM_CLASSES = 80


@contextlib.contextmanager
def cpu_only() -> Iterator[None]:
    """Let code that was written for a GPU run on the CPU, without the download of weights."""
    resnet101 = torchvision.models.resnet101
    with (
        mock.patch.object(Tensor, 'cuda', lambda self, **_: self),
        mock.patch.object(torch.cuda, 'max_memory_allocated', lambda: 0),
        mock.patch.object(torchvision.models, 'resnet101', lambda **_: resnet101()),
    ):
        yield


def link_data(data: Path, work: Path) -> None:
    """Link a COCO 2014 folder under the name that their code opens; its label cache goes beside."""
    (work / 'COCO2014').mkdir(parents=True, exist_ok=True)
    for name in ('annotations', 'train2014', 'val2014'):
        link = work / 'COCO2014' / name
        if not link.exists():
            link.symlink_to((data / name).resolve())


def draw_weights(model: nn.Module, images: Tensor) -> None:
    """Draw weights that depend on the image: batch statistics of ``images``, classes apart."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(images)


def evaluate(args: argparse.Namespace) -> None:
    """Write the checkpoint if there is none, evaluate it, and print the mAP in percent."""
    sys.path[:0] = [str(args.clone / 'lib'), str(args.clone)]
    from dataset.get_dataset import distributedsampler, get_datasets
    from models.TBALN import TBALN
    from utils.metric import voc_mAP
    from validate import validate

    options: dict[str, Any] = dict(
        dataname='coco14', dataset_dir=str(args.work), img_size=args.image_size, crop=False,
        cutout=False, remove_norm=False, orid_norm=False, batch_size=args.batch_size, workers=0,
        num_class=NUM_CLASSES, amp=False, loss_dev=-1, print_freq=5, out_aps=False,
        output=str(args.work),
    )  # fmt: skip
    settings = SimpleNamespace(**options)
    torch.manual_seed(0)
    model = TBALN(settings)
    loader = distributedsampler(settings, *get_datasets(settings))[1]
    if args.checkpoint.exists():
        state = read_file(args.checkpoint)['state_dict']
        model.load_state_dict({name.removeprefix('module.'): x for name, x in state.items()})
    else:
        draw_weights(model, next(iter(loader))[0])
        torch.save(
            dict(arch=f'TBALN-R101-{args.image_size}', state_dict=model.state_dict()),
            args.checkpoint,
        )
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    validate(loader, model, nn.BCEWithLogitsLoss(), settings, logging.getLogger())
    scores = args.work / 'saved_data_tmp.0.txt'
    aps = voc_mAP([str(scores)], NUM_CLASSES, return_each=True)[1]
    print(
        f'authors: mAP {np.nanmean(aps):.4f} over {np.isfinite(aps).sum()} classes with a positive'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('clone', type=Path, help="clone of the authors' repository")
    parser.add_argument('data', type=Path, help='folder with annotations, train2014 and val2014')
    parser.add_argument('work', type=Path, help='folder for scores and links')
    parser.add_argument(
        'checkpoint', type=Path, help='their checkpoint; drawn if it does not exist'
    )
    parser.add_argument('--image-size', type=int, default=448, help='side in pixels')
    parser.add_argument('--batch-size', type=int, default=8)
    args = parser.parse_args()
    link_data(args.data, args.work)
    os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
    os.environ.setdefault('MASTER_PORT', '29561')
    dist.init_process_group('gloo', rank=0, world_size=1)
    with cpu_only():
        evaluate(args)
    dist.destroy_process_group()


if __name__ == '__main__':
    main()
