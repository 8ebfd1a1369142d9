"""Demo of a model in the browser: ``python tools/demo/demo.py [CONFIG] CHECKPOINT``."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import add_calibration_argument, harden

MAX_FILE_SIZE = '20mb'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Serve a page with the labels and the attention of a model for photographs.',
        usage='%(prog)s [-h] [--host HOST] [--port PORT] [--device DEVICE] [--no-calibration] '
        '[CONFIG] CHECKPOINT',
    )
    parser.add_argument(
        'files',
        nargs='+',
        metavar='[CONFIG] CHECKPOINT',
        help='checkpoint, before it a config where the checkpoint carries none',
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to serve on (default: %(default)s, this machine only; the '
        'page asks for no password)',
    )
    parser.add_argument('--port', type=int, default=7860, help='default: %(default)s')
    parser.add_argument('--device', help='default: the GPU where there is one')
    add_calibration_argument(parser)
    args = parser.parse_args()
    if len(args.files) > 2:
        parser.error(f'at most a config and a checkpoint, got {len(args.files)} files')
    return args


def main() -> None:
    args = parse_args()
    harden()
    # Gradio reads these on import; they disable usage statistics and other requests.
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    os.environ['HF_HUB_DISABLE_TELEMETRY'] = '1'

    from _page import CSS, build_demo

    import mmmsf  # noqa: F401  checks the frameworks and registers the components
    from mmmsf.apis import load_model

    try:
        loaded = load_model(
            args.files[-1],
            args.files[0] if len(args.files) == 2 else None,
            args.device,
            args.calibration,
        )
        demo = build_demo(loaded)
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(f'error: {error}') from error

    import gradio as gr

    demo.queue(max_size=32)
    demo.launch(
        server_name=args.host,
        server_port=args.port,
        share=False,
        max_file_size=MAX_FILE_SIZE,
        css=CSS,
        theme=gr.themes.Default(
            font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']
        ),
        footer_links=[],
        ssr_mode=False,
        state_session_capacity=100,
    )


if __name__ == '__main__':
    main()
