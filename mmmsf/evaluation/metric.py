"""All multi-label metrics in one pass over the validation set."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmmsf.registry import METRICS

from .build import build_report
from .functional.average_precision import check_flavour
from .functional.size_aware import COCO_SIZE_THRESHOLDS, SIZE_NAMES, check_size_thresholds
from .gather import gather_rows, unique_rows
from .rows import EvaluationRows, concat_rows, rows_from_samples
from .tables import EvaluationReport


def _check_thresholds(thr: float | Sequence[float]) -> tuple[float, ...]:
    values = tuple(thr) if isinstance(thr, Sequence) else (thr,)
    thrs = tuple(float(value) for value in values)
    if not thrs or not np.isfinite(thrs).all() or len(set(thrs)) < len(thrs):
        raise ValueError(f'thr must be one or several different finite numbers, got {thr}')
    return thrs


@METRICS.register_module()
class MultiLabelMetric(BaseMetric):
    """mAP, size-aware mAP, and CP CR CF1 OP OR OF1 at thresholds and for the top k.

    All values are percentages, 0 to 100. Targets of -1 are ignored. Every image counts once,
    however often the sampler deals it, and the number of processes does not change a result.
    A class without a positive is left out of all class means and named in a warning.

    Set ``keep_rows`` to find the gathered scores in ``rows`` afterwards.

    Results are ``mAP``, ``mAP_small``, ``mAP_medium`` and ``mAP_large`` (a size without any
    positive has no entry), ``CP`` .. ``OF1`` and ``CP_top3`` .. ``OF1_top3``. After
    ``evaluate``, ``report`` holds the per-class result in the main process.

    Args:
        thr: A score of at least this is a positive decision. Of a list, the first gives the
            plain keys, and all give keys such as ``CF1_thr-0.30``.
        topk: Also decide for this many highest scores of each image; ``None``: do not.
        topk_gated: A top-k decision also needs a score of at least the first ``thr``, the way
            the top-3 columns of ML-GCN (Chen et al., CVPR 2019) are made.
        ap_flavour: ``area``, ``voc11`` or ``voc``, see ``functional.average_precision``.
        size_thresholds: Bounds in px^2 between small, medium and large; ``None``: no
            size-aware AP.
        size_at: Whether the bounds apply to areas in the ``original`` image or at the network's
            ``input``.
        out_dir: Folder for ``metrics.json`` and ``per_class.csv``; ``None``: write nothing.
        classwise: Log the table of the classes too.
        collect_device: Accepted for ``BaseMetric``; rows travel on the backend's own device.
        prefix: Put before each key with a slash; ``None``: ``multi-label``.
        class_thr: One threshold for each class, in class order, for further keys such as
            ``CF1_tuned``; ``None``: no such keys.
        min_positives: Classes with fewer positives are left out of all means and sums, and
            named in a warning: a single image moves their AP by tens of points. They keep
            their lines in the table and the files.

    Raises:
        ValueError: An argument has a value that is not allowed.
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
        self.rows: EvaluationRows | None = None
        self._logged: set[str] = set()

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the compact rows of one batch; see ``rows.rows_from_samples`` for the entries.

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
        """Gather, drop repeated samples, compute in the main process and tell the others.

        Args:
            size: Number of images in the data set; another number of different images seen is
                logged as a warning.

        Returns:
            The metrics with their prefix, the same in every process.

        Raises:
            ValueError: No process has seen a sample.
            RuntimeError: In the other processes, when the main process fails.
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
            raise RuntimeError(f'the evaluation failed in the main process: {received}')
        return received

    def compute_metrics(self, results: list[EvaluationRows]) -> dict[str, float]:
        """Compute, log and save the metrics of rows that hold every image once.

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
        )
        self._log_absent(self.report)
        logger = MMLogger.get_current_instance()
        logger.info('\n' + self.report.summary_table())
        if self.classwise:
            logger.info('\n' + self.report.class_table())
        if self.out_dir is not None:
            self.report.save(self.out_dir)
        return dict(self.report.summary)

    def _log_absent(self, report: EvaluationReport) -> None:
        """Name, once, the classes and the sizes that have no or too few positives."""
        absent = [
            name for name, count in zip(report.classes, report.positives, strict=True) if count == 0
        ]
        if absent:
            self._log_once(
                'no positive, left out of the class means: ' + ', '.join(absent), logging.WARNING
            )
        rare = [
            f'{name} ({count})'
            for name, count in zip(report.classes, report.positives, strict=True)
            if 0 < count < self.min_positives
        ]
        if rare:
            self._log_once(
                f'fewer than {self.min_positives} positives, left out of the means and '
                'sums: ' + ', '.join(rare),
                logging.WARNING,
            )
        missing = [name for name in SIZE_NAMES if f'mAP_{name}' not in report.summary]
        if missing and self.size_thresholds is not None:
            self._log_once(
                'no label known to have this size, no size-aware mAP for: ' + ', '.join(missing),
                logging.INFO,
            )

    def _class_names(self, num_classes: int) -> tuple[str, ...]:
        """Names from the data set, or the class indices where it gives none."""
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
