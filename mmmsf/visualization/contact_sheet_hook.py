"""Contact sheets of predictions on validation and test images."""

from collections.abc import Sequence, Sized
from pathlib import Path
from typing import cast

import numpy as np
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from mmmsf.datasets.transforms import decode_image
from mmmsf.engine.hooks.tune_thresholds_hook import tuned_thresholds
from mmmsf.evaluation.rows import sample_target
from mmmsf.models.decisions import model_groups
from mmmsf.registry import HOOKS
from mmmsf.utils.groups import Group, exclusive_decisions
from mmmsf.utils.unwrap import unwrap_model

from .contact_sheet import Tile, draw_contact_sheet, draw_tile


def make_tile(
    sample: DataSample,
    classes: Sequence[str],
    thresholds: NDArray[np.floating] | None = None,
    groups: Sequence[Group] = (),
) -> Tile:
    """Read a sample's image and sort its labels into right, missed and false ones.

    Args:
        sample: Prediction with ``img_path``, ``pred_label`` (with ``thresholds`` ``pred_score``
            (K,) in its place), and ``gt_score`` (K,) of 1, 0 or -1 (neither right nor wrong) or
            ``gt_label`` (class indices).
        classes: K class names.
        thresholds: (K,), by which to decide in place of ``pred_label``; None for none.
        groups: Exclusive groups, whose rules these decisions keep.

    Returns:
        The tile to draw.

    Raises:
        ValueError: The sample has no target, or the image is corrupt.
    """
    path = sample.img_path
    truth = sample_target(sample, len(classes), path).tolist()
    if thresholds is None:
        predicted = set(sample.pred_label.cpu().tolist())
    else:
        score = sample.pred_score.cpu().numpy()
        decided = exclusive_decisions(score >= thresholds, score, groups)
        predicted = set(np.flatnonzero(decided).tolist())
    return Tile(
        image=decode_image(Path(path).read_bytes(), str(path))[..., ::-1],
        title=Path(path).name,
        right=[name for k, name in enumerate(classes) if truth[k] > 0 and k in predicted],
        missed=[name for k, name in enumerate(classes) if truth[k] > 0 and k not in predicted],
        false=[name for k, name in enumerate(classes) if truth[k] == 0 and k in predicted],
    )


@HOOKS.register_module()
class ContactSheetHook(Hook):
    """Draw images with their right, missed and false labels.

    After each validation and test, ``<work_dir>/val/contact_sheet.png`` (or ``test``) shows
    ``num_images`` images spread evenly over the set. In a distributed run the main process draws
    images of its own share. After a validation the labels are those at the thresholds that
    :class:`mmmsf.engine.TuneThresholdsHook` has just tuned on it, where there are any; else, and
    in tests, those that the head predicts.

    Args:
        num_images: Number of images on the sheet; 0 draws none.
        columns: Number of images side by side.
        show_dir: Folder for every test image with its labels (``tools/test.py --show-dir``).

    Raises:
        ValueError: ``num_images`` is below 0 or ``columns`` below 1.
    """

    priority = 'LOW'

    def __init__(self, num_images: int = 24, columns: int = 6, show_dir: str | None = None) -> None:
        if num_images < 0 or columns < 1:
            raise ValueError(
                '`num_images` must be at least 0 and `columns` at least 1, got '
                f'{num_images} and {columns}'
            )
        self.num_images = num_images
        self.columns = columns
        self.show_dir = show_dir
        self._samples: list[DataSample] = []
        self._seen = 0

    def _classes(self, loader: DataLoader, sample: DataSample) -> Sequence[str]:
        names = getattr(loader.dataset, 'metainfo', {}).get('classes')
        return names or [str(k) for k in range(len(sample.pred_score))]

    def _collect(
        self, loader: DataLoader, outputs: Sequence[DataSample], show_dir: str | None
    ) -> None:
        share = len(cast(Sized, loader.dataset)) // get_world_size()
        step = max(1, share // max(self.num_images, 1))
        for sample in outputs:
            on_sheet = (
                is_main_process()
                and self._seen % step == 0
                and len(self._samples) < self.num_images
            )
            self._seen += 1
            if on_sheet:
                self._samples.append(sample)
            if show_dir is not None:
                tile = make_tile(sample, self._classes(loader, sample))
                Path(show_dir).mkdir(parents=True, exist_ok=True)
                draw_tile(tile).save(Path(show_dir) / f'{sample.sample_idx:06d}_{tile.title}.png')

    def _write(
        self,
        runner: Runner,
        mode: str,
        loader: DataLoader,
        thresholds: NDArray[np.floating] | None = None,
    ) -> None:
        groups = () if thresholds is None else model_groups(unwrap_model(runner.model))
        tiles = [make_tile(x, self._classes(loader, x), thresholds, groups) for x in self._samples]
        if tiles:
            path = Path(runner.work_dir) / mode / 'contact_sheet.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            draw_contact_sheet(tiles, self.columns).save(path)
            tuned = '' if thresholds is None else ' at the tuned thresholds'
            runner.logger.info(
                f'Images with their labels{tuned} (green: right, orange: missed, red: false) '
                f'written to {path}'
            )
        self._samples, self._seen = [], 0

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[DataSample] | None = None,
    ) -> None:
        """Collect images for the sheet."""
        self._collect(runner.val_dataloader, outputs or [], None)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[DataSample] | None = None,
    ) -> None:
        """Collect images for the sheet and write each image to ``show_dir``."""
        self._collect(runner.test_dataloader, outputs or [], self.show_dir)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Draw the validation sheet."""
        self._write(runner, 'val', runner.val_dataloader, tuned_thresholds(runner))

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Draw the test sheet."""
        self._write(runner, 'test', runner.test_dataloader)
