"""Training of a model: ``python tools/train.py CONFIG``."""

import argparse

from _cli import (
    add_common_arguments,
    add_verbose_argument,
    apply_options,
    harden,
    load_config,
    run_recorded,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train and validate a model.')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint, or from the newest valid one in the work dir',
    )
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision: float16 on a GPU, bfloat16 on a CPU'
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help="compile the network with torch.compile; options: the config's mmmsf.CompileHook",
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by actual / base batch size',
    )
    parser.add_argument('--no-validate', action='store_true', help='do not validate while training')
    parser.add_argument(
        '--no-tune',
        action='store_true',
        help='store no thresholds tuned on the validation images in the checkpoints',
    )
    parser.add_argument('--seed', type=int, help='seed of all random numbers')
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='same seed, same weights, at some cost in speed',
    )
    add_verbose_argument(parser)
    add_common_arguments(parser)
    return parser.parse_args()


def train(args: argparse.Namespace) -> None:
    harden(args.verbose)

    import mmmsf  # noqa: F401  checks the frameworks and declares the registries
    from mmmsf.engine import launch
    from mmmsf.engine.console import announce

    launch.set_local_rank(args.local_rank)
    cfg = load_config(args.config)
    launch.set_work_dir(cfg, args.config, args.work_dir)
    apply_options(cfg, args.cfg_options, args.config)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.no_tune:
        launch.set_no_tune(cfg)
    if args.amp:
        launch.set_amp(cfg)
    if args.compile:
        launch.set_compile(cfg)
    if args.resume is None and cfg.get('resume') and cfg.get('load_from') is None:
        args.resume = 'auto'
    if args.resume is not None:
        launch.set_resume(cfg, args.resume)
    if args.auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            raise SystemExit(
                f'--auto-scale-lr: {args.config} has no `auto_scale_lr=dict(base_batch_size=...)`'
            )
        cfg.auto_scale_lr.enable = True
    launch.set_randomness(cfg, args.seed, args.deterministic)
    launch.set_dataloader_defaults(cfg)
    launch.set_optimizer_defaults(cfg)
    launch.set_train_loop(cfg)
    launch.prepare_distributed(cfg, args.launcher)
    runner = launch.build_runner(cfg, args.verbose)
    announce(runner, f'Train {args.config}')
    runner.train()


def main() -> None:
    run_recorded(train, parse_args())


if __name__ == '__main__':
    main()
