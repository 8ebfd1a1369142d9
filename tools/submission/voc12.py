"""Make VOC 2012's server file: ``python tools/submission/voc12.py NPZ --ids IDS --out OUT``."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Turn predictions on the VOC 2012 test set into the archive that the '
        'evaluation server takes, and check it.'
    )
    parser.add_argument('predictions', help='file of tools/test.py --out FILE.npz')
    parser.add_argument(
        '--ids',
        required=True,
        metavar='FILE',
        help="the test images' ids: VOC2012/ImageSets/Main/test.txt",
    )
    parser.add_argument('--out', required=True, metavar='FILE', help='archive to write (.tar.gz)')
    parser.add_argument(
        '--comp',
        choices=['comp1', 'comp2'],
        default='comp1',
        help='comp1: trained on VOC 2012 data alone; comp2: with any other data, '
        'such as COCO (default: %(default)s)',
    )
    args = parser.parse_args()
    if not args.out.endswith('.tar.gz'):
        parser.error(f'--out must end in .tar.gz, got {args.out}')
    return args


def main() -> None:
    args = parse_args()
    harden()

    from _archive import align_scores, read_test_ids, write_submission

    from mmmsf.evaluation import Predictions

    try:
        ids = read_test_ids(args.ids)
        scores = align_scores(Predictions.load(args.predictions), ids)
        write_submission(args.out, ids, scores, args.comp)
    except (OSError, ValueError) as error:
        raise SystemExit(f'nothing written: {error}') from error
    print(f'{args.out}: {len(ids):,} images, 20 classes, {args.comp}; checked')


if __name__ == '__main__':
    main()
