"""Write a corrected label file from the reviewed list of find_label_errors.py.

Rows with the verdict "yes" follow their suggestion, with "unsure" the label becomes unknown; all
other labels stay. The source is not changed: the new file is a table for mmmsf.CsvMultiLabel.
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden, load_config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config that find_label_errors.py was called with')
    parser.add_argument('reviewed', type=Path, metavar='REVIEWED.csv', help='list with verdicts')
    parser.add_argument(
        '--to', type=Path, required=True, metavar='NEW.csv', help='label file to write'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='overrides of config values',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    harden()

    from _folds import read_training_data
    from _label_errors import apply_verdicts
    from _label_table import write_label_table
    from _suspects import VERDICTS, read_suspects

    import mmmsf  # noqa: F401  checks the frameworks and registers the components
    from mmmsf.datasets.cached_features import image_names
    from mmmsf.datasets.class_groups import check_group_labels
    from mmmsf.utils.groups import parse_groups

    cfg = load_config(args.config, args.cfg_options)
    try:
        suspects = read_suspects(args.reviewed)
        dataset = read_training_data(cfg)
        images, classes = image_names(dataset), dataset.metainfo['classes']
        targets = dataset.get_gt_labels().astype(int)
        corrected = apply_verdicts(args.reviewed, suspects, images, classes, targets)
        groups = dataset.metainfo.get('groups')
        if groups:
            labels = zip(images, corrected, strict=True)
            parsed = parse_groups(groups, classes)
            check_group_labels(f'after {args.reviewed}', labels, parsed, classes)
        options = write_label_table(args.to, images, classes, corrected)
    except (OSError, ValueError) as error:
        raise SystemExit(f'correct_labels.py: {error}') from error
    counts = {name: sum(row.verdict == name for row in suspects) for name in VERDICTS}
    told = ', '.join(f'{count} {name or "blank"}' for name, count in counts.items())
    print(f'{len(suspects)} rows: {told}; {(corrected != targets).sum()} labels changed')
    print(f'{args.to}: {len(images)} images. Their dataset in a config:')
    options = dict(type='mmmsf.CsvMultiLabel', data_prefix=dataset.img_prefix, **options)
    if groups:
        options['groups'] = groups
    print(''.join(f'    {key}={value!r},\n' for key, value in options.items()), end='')


if __name__ == '__main__':
    main()
