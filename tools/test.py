"""Evaluate a checkpoint: ``python tools/test.py CONFIG CHECKPOINT``."""

import argparse
from pathlib import Path

from _cli import add_common_arguments, harden, load_config

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
        help='write every test image with its right, missed and false labels',
    )
    parser.add_argument('--amp', action='store_true', help='test in mixed precision')
    parser.add_argument(
        '--tta',
        action='store_true',
        help='average the scores of the image and its mirror image, or do what the '
        "config's `tta_model` and `tta_pipeline` say",
    )
    parser.add_argument(
        '--thresholds',
        action='store_true',
        help="also decide by the checkpoint's own class thresholds (written by "
        'tools/analysis/tune_thresholds.py): metrics such as CF1_tuned, and the '
        'labels of --show-dir and of the contact sheet',
    )
    add_common_arguments(parser)
    args = parser.parse_args()
    if args.out is not None and Path(args.out).suffix not in OUT_SUFFIXES:
        parser.error(f'--out must end in one of {", ".join(OUT_SUFFIXES)}, got {args.out}')
    return args


def main() -> None:
    args = parse_args()
    harden()

    import mmengine
    from mmengine.evaluator import DumpResults

    import mmmsf  # noqa: F401  checks the frameworks and registers the components
    from mmmsf.checkpoint.thresholds import read_thresholds
    from mmmsf.engine import launch
    from mmmsf.engine.evaluation_run import check_test_run, use_thresholds
    from mmmsf.engine.shared_failure import shared_failure
    from mmmsf.evaluation import MultiLabelMetric, Predictions

    launch.set_local_rank(args.local_rank)
    if args.out is not None:  # before the work, not after it
        try:
            Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemExit(f'--out {args.out}: {error}') from error
    class_thr = None
    if args.thresholds:
        try:
            class_thr = read_thresholds(args.checkpoint)
        except (OSError, ValueError) as error:
            raise SystemExit(f'--thresholds: {error}') from error
    cfg = load_config(args.config)
    launch.set_work_dir(cfg, args.config, args.work_dir)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    cfg.load_from = args.checkpoint
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show_dir is not None:
        launch.set_show_dir(cfg, args.show_dir)
    if args.tta:
        launch.set_tta(cfg)
    launch.set_dataloader_defaults(cfg)
    launch.prepare_distributed(cfg, args.launcher)
    runner = launch.build_runner(cfg)
    try:
        check_test_run(runner, args.checkpoint)
        if class_thr is not None:
            use_thresholds(runner, class_thr)
    except (OSError, ValueError) as error:
        raise SystemExit(f'nothing tested: {error}') from error
    suffix = None if args.out is None else Path(args.out).suffix
    if suffix == '.pkl':
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
    multi_label = None
    if suffix == '.npz':
        found = [m for m in runner.test_evaluator.metrics if isinstance(m, MultiLabelMetric)]
        if not found:
            raise SystemExit(
                f'--out {args.out}: the config has no mmmsf.MultiLabelMetric in `test_evaluator`'
            )
        multi_label = found[0]
        multi_label.keep_rows = True
    with shared_failure():
        metrics = runner.test()
    if args.out is not None and runner.rank == 0:
        if suffix == '.json':
            mmengine.dump(metrics, args.out)
        elif multi_label is not None:
            Predictions.from_rows(multi_label.rows, runner.test_dataloader.dataset).save(args.out)
        runner.logger.info(f'Written to {args.out}')


if __name__ == '__main__':
    main()
