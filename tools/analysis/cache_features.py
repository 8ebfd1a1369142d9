"""Compute the features of a config's frozen backbone once, for trainings of heads on them.

``ablate.py CONFIGS --features DIR`` trains on them every config whose backbone computes some of
their maps. A training image has ``--views`` augmented views, each a function of image and seed.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import DictAction

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config

if TYPE_CHECKING:
    import numpy as np
    from mmengine.config import Config
    from torch import nn

    from mmmsf.datasets import MultiLabelData


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file with a backbone that is frozen entirely')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write')
    parser.add_argument('--views', type=int, default=1, help='views of a training image')
    parser.add_argument('--seed', type=int, default=0, help='seed of the views')
    parser.add_argument('--dtype', choices=['float16', 'float32'], default='float16')
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--workers', type=int, default=0, help='loader processes')
    parser.add_argument('--device', default=None, help='default: a GPU if there is one')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values',
    )
    args = parser.parse_args()
    if args.views < 1 or args.batch_size < 1:
        parser.error('--views and --batch-size must be at least 1')
    return args


class Extractor:
    """Compute records of a dataset's views, batch by batch.

    Args:
        cfg: Config of the model.
        device: Device of the backbone.
    """

    def __init__(self, cfg: 'Config', device: str) -> None:
        import torch
        from _features import build_backbone, preprocessor_of
        from mmengine.registry import MODELS, DefaultScope
        from mmengine.runner.checkpoint import _load_checkpoint_with_prefix

        self.backbone: nn.Module = build_backbone(cfg, init=True)
        if cfg.get('load_from'):
            state = _load_checkpoint_with_prefix('backbone.', cfg.load_from, map_location='cpu')
            self.backbone.load_state_dict(state)
        self.backbone.eval()  # MMPretrain's backbones return nothing here
        self.backbone.to(device, memory_format=torch.channels_last)
        settings = dict(type='ClsDataPreprocessor', **preprocessor_of(cfg))
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            self.preprocessor = MODELS.build(settings).to(device)

    def maps(self, batch: dict[str, Any]) -> list[Any]:
        """Compute the maps (B, C, h, w) of a collated batch."""
        import torch

        with torch.no_grad():
            images = self.preprocessor(batch)['inputs']
            return list(self.backbone(images.contiguous(memory_format=torch.channels_last)))


def write_split(
    cfg: 'Config', split: str, views: int, extractor: Extractor, args: argparse.Namespace
) -> None:
    """Write the features of one split to ``<out>/<split>``."""
    from _features import map_names, source_of
    from mmengine.dataset import default_collate
    from mmengine.registry import DATASETS, DefaultScope
    from torch.utils.data import DataLoader

    from mmmsf.datasets.cached_features import image_names
    from mmmsf.datasets.readers.feature_store import FeatureIndex, write_records
    from mmmsf.engine.resume.sampler import SeededDataset, SeededIndex
    from mmmsf.engine.resume.seeding import SAMPLE

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset: MultiLabelData = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
    samples = [
        SeededIndex(i, (SAMPLE, view, i, args.seed))  # the keys of epoch `view`, not shuffled
        for i in range(len(dataset))
        for view in range(views)
    ]
    seeded = SeededDataset(dataset)
    loader = DataLoader(
        seeded,
        args.batch_size,
        sampler=samples,
        num_workers=args.workers,
        collate_fn=default_collate,
    )
    shapes: list[Sequence[Sequence[int]]] = []

    def records() -> 'Iterator[np.ndarray]':
        import torch

        for batch in loader:
            shapes.extend((x.ori_shape[:2], x.img_shape[:2]) for x in batch['data_samples'])
            flat = [x.flatten(1).float() for x in extractor.maps(batch)]
            yield torch.cat(flat, dim=1).cpu().numpy()

    start = time.monotonic()
    first = extractor.maps(default_collate([seeded[samples[0]]]))
    index = FeatureIndex(
        names=image_names(dataset),
        shapes=shapes,
        map_names=map_names(cfg.model.backbone),
        map_shapes=[tuple(x.shape[1:]) for x in first],
        views=views,
        source=source_of(cfg, split),
    )
    write_records(args.out / split, index.record_shape, records(), args.dtype)
    shapes[:] = shapes[::views]
    index.save(args.out / split)
    print(
        f'{args.out / split}: {len(dataset)} images, {views} views, maps {index.map_shapes}, '
        f'{time.monotonic() - start:.0f} s',
        flush=True,
    )


def main() -> None:
    args = parse_args()
    harden()

    import torch

    import mmmsf  # noqa: F401  registers the components

    cfg = load_config(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        extractor = Extractor(cfg, device)
        write_split(cfg, 'train', args.views, extractor, args)
        write_split(cfg, 'val', 1, extractor, args)
    except (OSError, ValueError) as error:
        raise SystemExit(f'cache_features.py: {error}') from error


if __name__ == '__main__':
    main()
