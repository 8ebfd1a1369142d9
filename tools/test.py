"""Evaluation of a checkpoint: ``python tools/test.py CONFIG CHECKPOINT``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from _cli import (
    add_calibration_argument,
    add_common_arguments,
    add_fast_arguments,
    add_verbose_argument,
    apply_options,
    fast_options,
    harden,
    load_config,
    run_recorded,
)

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

    from mmmsf.evaluation import MultiLabelMetric

OUT_SUFFIXES = ('.npz', '.pkl', '.json')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate a checkpoint on the test set.')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--out',
        metavar='FILE',
        help='write predictions (.npz: names, scores and targets as arrays; .pkl: '
        "MMEngine's data samples) or the metrics (.json)",
    )
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='write every test image with its correct, missed and false labels',
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help="average the scores of the image and its mirror image, or use the config's "
        '`tta_model` and `tta_pipeline`',
    )
    parser.add_argument(
        '--thresholds',
        action=argparse.BooleanOptionalAction,
        help="also decide by the checkpoint's own class thresholds (written by tools/train.py and "
        'tools/analysis/tune_thresholds.py): metrics such as CF1_tuned, and the labels of '
        '--show-dir, of the contact sheet and of --out FILE.pkl (default: where it has any)',
    )
    add_calibration_argument(parser)
    add_fast_arguments(parser)
    add_verbose_argument(parser)
    add_common_arguments(parser)
    args = parser.parse_args()
    if args.out is not None and Path(args.out).suffix not in OUT_SUFFIXES:
        parser.error(f'--out must end in one of {", ".join(OUT_SUFFIXES)}, got {args.out}')
    return args


def _thresholds(checkpoint: str, wanted: bool | None) -> list[float] | None:
    """Read the class thresholds of a checkpoint, by default if any, or exit with the reason."""
    from mmmsf.checkpoint.thresholds import find_thresholds, read_thresholds

    if wanted is False:
        return None
    try:
        return read_thresholds(checkpoint) if wanted else find_thresholds(checkpoint)
    except (OSError, ValueError) as error:
        raise SystemExit(f'--thresholds: {error}') from error


def _config(args: argparse.Namespace) -> 'Config':
    """Read the config and apply the arguments to it."""
    from mmmsf.engine import launch

    cfg = load_config(args.config)
    launch.set_work_dir(cfg, args.config, args.work_dir)
    apply_options(cfg, args.cfg_options, args.config)
    cfg.load_from = args.checkpoint
    launch.set_fast_forward(cfg, **fast_options(args))
    if args.show_dir is not None:
        launch.set_show_dir(cfg, args.show_dir)
    if args.tta:
        launch.set_tta(cfg)
    launch.set_dataloader_defaults(cfg)
    launch.prepare_distributed(cfg, args.launcher)
    return cfg


def _keep_predictions(runner: 'Runner', out: str | None) -> None:
    """Make the evaluator keep the predictions that ``--out`` asks for, or exit."""
    from mmengine.evaluator import DumpResults

    if out is None or out.endswith('.json'):
        return
    if out.endswith('.pkl'):
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=out))
    elif (metric := _multi_label(runner)) is not None:
        metric.keep_rows = True
    else:
        raise SystemExit(f'--out {out}: the config has no mmmsf.MultiLabelMetric in test_evaluator')


def _multi_label(runner: 'Runner') -> 'MultiLabelMetric | None':
    """Find the metric whose rows become a predictions file."""
    from mmmsf.evaluation import MultiLabelMetric

    metrics = runner.test_evaluator.metrics
    return next((metric for metric in metrics if isinstance(metric, MultiLabelMetric)), None)


def _save(runner: 'Runner', metrics: dict[str, float], out: str | None) -> None:
    """Write the metrics or the predictions to ``--out``; DumpResults has written a ``.pkl``."""
    import mmengine

    from mmmsf.evaluation import Predictions
    from mmmsf.utils.unwrap import averages_views

    if out is None or runner.rank != 0:
        return
    if out.endswith('.json'):
        mmengine.dump(metrics, out)
    elif out.endswith('.npz') and (metric := _multi_label(runner)) is not None:
        dataset, tta = runner.test_dataloader.dataset, averages_views(runner.model)
        Predictions.from_rows(metric.rows, dataset, metric.calibrated, tta).save(out)
    runner.logger.info(f'Written to {out}')


def test(args: argparse.Namespace) -> None:
    harden(args.verbose)

    import mmmsf  # noqa: F401  checks the frameworks and declares the registries
    from mmmsf.engine import launch
    from mmmsf.engine.console import announce
    from mmmsf.engine.evaluation_run import check_test_run, use_calibration, use_thresholds

    launch.set_local_rank(args.local_rank)
    if args.out is not None:  # before the work, not after it
        try:
            Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemExit(f'--out {args.out}: {error}') from error
    class_thr = _thresholds(args.checkpoint, args.thresholds)
    runner = launch.build_runner(_config(args), args.verbose)
    announce(runner, f'Test {args.checkpoint} with {args.config}')
    try:
        check_test_run(runner, args.checkpoint)
        calibration = use_calibration(runner, args.checkpoint, args.calibration)
        if calibration is not None:
            runner.logger.info("Scores calibrated by the checkpoint's own calibration")
        if class_thr is not None:
            use_thresholds(runner, class_thr, calibration)
            runner.logger.info(
                "Labels and the row `tuned` by the checkpoint's own thresholds; on the images that "
                'these were tuned on, that row is too high'
            )
    except (OSError, ValueError) as error:
        raise SystemExit(f'nothing tested: {error}') from error
    _keep_predictions(runner, args.out)
    _save(runner, runner.test(), args.out)


def main() -> None:
    run_recorded(test, parse_args())


if __name__ == '__main__':
    main()
