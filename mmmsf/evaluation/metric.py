"""Registered metric: all multi-label metrics in one pass over the validation set."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmmsf.registry import METRICS
from mmmsf.utils.groups import Group, parse_groups

from .functional.average_precision import check_flavour
from .functional.size_aware import COCO_SIZE_THRESHOLDS, SIZE_NAMES, check_size_thresholds
from .gather import gather_rows, unique_rows
from .rows import EvaluationRows, concat_rows, rows_from_samples
from .summary import build_report
from .tables import MAX_CLASSES, EvaluationReport


def _check_thresholds(thr: float | Sequence[float]) -> tuple[float, ...]:
    values = tuple(thr) if isinstance(thr, Sequence) else (thr,)
    thrs = tuple(float(value) for value in values)
    if not thrs or not np.isfinite(thrs).all() or len(set(thrs)) < len(thrs):
        raise ValueError(f'thr must be one or several different finite numbers, got {thr}')
    return thrs


def _enumerate(names: Sequence[str]) -> str:
    """Join names; of more than ``MAX_CLASSES``, the first ones and the number of the others."""
    more = len(names) - MAX_CLASSES
    return ', '.join(names[:MAX_CLASSES]) + (f' and {more} more' if more > 0 else '')


@METRICS.register_module()
class MultiLabelMetric(BaseMetric):
    """Compute mAP, size-aware mAP, and CP CR CF1 OP OR OF1 at thresholds and for the top k.

    All values are percentages, 0 to 100. Targets of -1 are ignored. Every image counts once,
    however often the sampler repeats it, and the number of ranks does not change a result. A
    class without a positive is left out of all class means and named in a warning.

    Of a data set with exclusive groups (``groups``) there are also ``acc_<group>`` and
    ``f1_<group>``, the rate of images with the right outcome and the mean F1 of the group's
    classes at the first ``thr``, and ``mAcc`` and ``mF1``, their means; images with an unknown
    outcome do not count. All decisions at thresholds keep the rules of the groups.

    With ``keep_rows = True`` the gathered rows are kept in ``rows`` after ``evaluate``.
    ``calibrated = True`` says that the scores are calibrated, for those who save the rows.

    Results are ``mAP``, the same of another flavour (``mAP_voc``, or ``mAP_area`` where
    ``ap_flavour`` is not ``area``), ``mAP_small``, ``mAP_medium`` and ``mAP_large`` (a size
    without any positive has no entry), ``CP`` .. ``OF1`` and ``CP_top3`` .. ``OF1_top3``. After
    ``evaluate``, ``report`` holds the per-class result on the main rank.

    Args:
        thr: Threshold; a score of at least this is a positive decision. Of a list, the first
            gives the plain keys, and all give keys such as ``CF1_thr-0.30``.
        topk: Number of highest scores of an image for the top-k keys; ``None`` for none.
        topk_gated: Require of a top-k decision a score of at least the first ``thr`` too, as in
            the top-3 columns of ML-GCN (Chen et al., CVPR 2019).
        ap_flavour: ``area``, ``voc``, ``voc11`` or ``voc11_exact``, see
            ``functional.average_precision``.
        size_thresholds: Bounds in px^2 between small, medium and large; ``None`` for no
            size-aware AP.
        size_at: Apply the bounds to areas in the ``original`` image or at the network's
            ``input``.
        out_dir: Folder for ``metrics.json`` and ``per_class.csv``; ``None`` writes nothing.
        classwise: Log the table of the classes too; of more than 100, of the 20 worst and best.
        collect_device: Accepted for ``BaseMetric``; rows are gathered on the backend's own device.
        prefix: Prefix of the keys, with a slash; ``None`` for ``multi-label``.
        class_thr: One threshold per class, in class order, for further keys such as
            ``CF1_tuned``; ``None`` for no such keys.
        min_positives: Classes with fewer positives are left out of all means and sums, and named
            in a warning: a single image moves their AP by tens of points. They keep their lines
            in the table and the files.

    Raises:
        ValueError: An argument is out of its range.
    """

    default_prefix = 'multi-label'

    def __init__(
        self,
        thr: float | Sequence[float] = 0.5,
        topk: int | None = 3,
        topk_gated: bool = False,
        ap_flavour: str = 'area',
        size_thresholds: Sequence[float] | None = COCO_SIZE_THRESHOLDS,
        size_at: str = 'original',
        out_dir: str | None = None,
        classwise: bool = True,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        class_thr: Sequence[float] | None = None,
        min_positives: int = 0,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.thrs = _check_thresholds(thr)
        if topk is not None and topk < 1:
            raise ValueError(f'topk must be at least 1 or None, got {topk}')
        check_flavour(ap_flavour)
        if size_at not in ('original', 'input'):
            raise ValueError(f"size_at must be 'original' or 'input', got {size_at!r}")
        if min_positives < 0:
            raise ValueError(f'min_positives must be at least 0, got {min_positives}')
        self.min_positives = min_positives
        self.topk = topk
        self.topk_gated = topk_gated
        self.ap_flavour = ap_flavour
        self.size_thresholds = (
            None if size_thresholds is None else check_size_thresholds(size_thresholds)
        )
        self.size_at = size_at
        self.out_dir = out_dir
        self.classwise = classwise
        self.class_thr = class_thr
        self.report: EvaluationReport | None = None
        self.keep_rows = False
        self.calibrated = False
        self.rows: EvaluationRows | None = None
        self._logged: set[str] = set()

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store the compact rows of one batch; see ``rows.rows_from_samples`` for the entries.

        Raises:
            ValueError: A sample is incomplete, has a score that is not finite or a wrong target
                (the image is named), or K is not the number of classes of the data set.
        """
        if not data_samples:
            return
        rows = rows_from_samples(data_samples, self.size_thresholds, self.size_at)
        num_classes = rows.scores.shape[1]
        if self.results and self.results[0].scores.shape[1] != num_classes:
            raise ValueError(
                f'pred_score had {self.results[0].scores.shape[1]} classes before, '
                f'now {num_classes}'
            )
        self._class_names(num_classes)
        self.results.append(rows)

    def evaluate(self, size: int) -> dict[str, float]:
        """Gather the rows, drop repeated samples, compute on the main rank and broadcast.

        Args:
            size: Number of images in the data set; a different number of evaluated images is
                logged as a warning.

        Returns:
            The metrics with their prefix, the same on every rank.

        Raises:
            ValueError: No rank has processed a sample.
            RuntimeError: On the other ranks, if the main rank fails.
        """
        try:
            rows, position = gather_rows(concat_rows(self.results))
        finally:
            self.results.clear()
        payload: list[dict[str, float] | str | None] = [None]
        if is_main_process():
            try:
                rows, warning = unique_rows(rows, position, size)
                if warning is not None:
                    MMLogger.get_current_instance().warning(warning)
                metrics = self.compute_metrics([rows])
                payload = [{f'{self.prefix}/{key}': value for key, value in metrics.items()}]
            except Exception as error:
                broadcast_object_list([f'{type(error).__name__}: {error}'])
                raise
        broadcast_object_list(payload)
        received = payload[0]
        if not isinstance(received, dict):
            raise RuntimeError(f'the evaluation failed on the main rank: {received}')
        return received

    def compute_metrics(self, results: list[EvaluationRows]) -> dict[str, float]:
        """Compute, log and save the metrics of rows with every image once.

        Returns:
            The metrics without prefix, 0 to 100.
        """
        rows = concat_rows(results)
        self.rows = rows if self.keep_rows else None
        self.report = build_report(
            rows,
            self._class_names(rows.scores.shape[1]),
            self.thrs,
            self.topk,
            self.topk_gated,
            self.ap_flavour,
            self.size_thresholds is not None,
            self.class_thr,
            self.min_positives,
            self.groups,
        )
        self._log_absent(self.report)
        logger = MMLogger.get_current_instance()
        logger.info('\n' + self.report.summary_table())
        if self.report.groups:
            logger.info('\n' + self.report.group_table())
        if self.classwise:
            logger.info('\n' + self.report.class_table())
        if self.out_dir is not None:
            self.report.save(self.out_dir)
        return dict(self.report.summary)

    def _log_absent(self, report: EvaluationReport) -> None:
        """Log, once, the classes and the sizes without or with too few positives."""
        absent = [
            name for name, count in zip(report.classes, report.positives, strict=True) if count == 0
        ]
        if absent:
            self._log_once(
                f'no positive, left out of the class means: {_enumerate(absent)}', logging.WARNING
            )
        rare = [
            f'{name} ({count})'
            for name, count in zip(report.classes, report.positives, strict=True)
            if 0 < count < self.min_positives
        ]
        if rare:
            self._log_once(
                f'fewer than {self.min_positives} positives, left out of the means and '
                f'sums: {_enumerate(rare)}',
                logging.WARNING,
            )
        missing = [name for name in SIZE_NAMES if f'mAP_{name}' not in report.summary]
        if missing and self.size_thresholds is not None:
            self._log_once(
                'no label known to have this size, no size-aware mAP for: ' + ', '.join(missing),
                logging.INFO,
            )

    @property
    def groups(self) -> tuple[Group, ...]:
        """Exclusive groups of the data set."""
        meta = self.dataset_meta or {}
        return parse_groups(meta.get('groups'), meta.get('classes'), '`groups` of the data set')

    def _class_names(self, num_classes: int) -> tuple[str, ...]:
        """Return the class names of the data set, or the class indices if it has none."""
        names = (self.dataset_meta or {}).get('classes')
        if names is None:
            return tuple(map(str, range(num_classes)))
        if len(names) != num_classes:
            raise ValueError(
                f"pred_score must have one entry for each of the data set's "
                f'{len(names)} classes, got {num_classes}: compare num_classes of '
                'the head with the classes of the data set'
            )
        return tuple(map(str, names))

    def _log_once(self, message: str, level: int) -> None:
        if message not in self._logged:
            self._logged.add(message)
            MMLogger.get_current_instance().log(level, message)
