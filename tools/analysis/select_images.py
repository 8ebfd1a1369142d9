"""Choose the images to label next: those that differ most from the labelled ones and each other.

Images are compared by the pooled last map of the checkpoint's backbone. The first lines of the
list are the first to label. configs/labels/README.md has its gain over a random choice, and the
ways of choosing that gained nothing.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _cli import harden

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mmmsf.apis.inferencer import MultiLabelInferencer

TABLES = ('.csv', '.tsv', '.jsonl')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint file; its config is in it')
    parser.add_argument('folder', type=Path, help='images to choose from, searched recursively')
    parser.add_argument('--count', type=int, required=True, help='images to choose')
    parser.add_argument(
        '--labelled',
        nargs='+',
        default=[],
        metavar='PATH',
        help='images that have labels: a label file with paths in FOLDER (.csv, .tsv, .jsonl), or '
        'images and folders; those in FOLDER are not chosen',
    )
    parser.add_argument('--config', help='config in place of the one in the checkpoint')
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--device', help='for example cpu or cuda:1 (default: a GPU if any)')
    parser.add_argument(
        '--out', type=Path, required=True, metavar='FILE.txt', help='list of paths in FOLDER'
    )
    args = parser.parse_args()
    if args.batch_size < 1:
        parser.error(f'--batch-size must be at least 1, got {args.batch_size}')
    return args


def labelled_images(names: list[str], folder: Path) -> list[str]:
    """Return the paths of the labelled images that ``--labelled`` names.

    Raises:
        FileNotFoundError: A table or one of its images does not exist.
        ValueError: A table or a pattern is not valid.
    """
    from mmmsf.apis.inputs import expand_inputs
    from mmmsf.datasets.readers.label_table import read_table

    paths: list[str] = []
    for name in names:
        if Path(name).suffix.lower() in TABLES:
            paths += [str(folder / row.path) for row in read_table(name).rows]
        else:
            paths += map(str, expand_inputs([name]))
    missing = [path for path in paths if not Path(path).is_file()]
    if missing:
        raise FileNotFoundError(
            f'{len(missing)} of {len(paths)} labelled images do not exist, the first is '
            f'{missing[0]}; paths in a table must be relative to {folder}'
        )
    return list(dict.fromkeys(paths))


def pooled_maps(
    inferencer: 'MultiLabelInferencer', paths: list[str], batch_size: int
) -> 'NDArray[np.floating]':
    """Compute the pooled last map of the backbone, of length one, for each image; (N, C)."""
    import numpy as np
    import torch
    from _selection import unit_length
    from mmengine.dataset import default_collate

    model, rows = inferencer.model, []
    for start in range(0, len(paths), batch_size):
        packed = [inferencer.pipeline(path) for path in paths[start : start + batch_size]]
        with torch.no_grad():
            images = [default_collate([one]) for one in packed]
            inputs = [model.data_preprocessor(image)['inputs'] for image in images]
            same = len({image.shape for image in inputs}) == 1
            for group in [torch.cat(inputs)] if same else inputs:
                last = model.extract_feat(group, stage='backbone')[-1]
                rows.append(last.float().flatten(2).mean(2).cpu().numpy())
    return unit_length(np.concatenate(rows)) if rows else np.zeros((0, 1), np.float32)


def main() -> None:
    args = parse_args()
    harden()

    from _selection import farthest_first

    from mmmsf.apis.inferencer import MultiLabelInferencer
    from mmmsf.apis.inputs import expand_inputs
    from mmmsf.utils.atomic_file import write_atomically

    try:
        known = labelled_images(args.labelled, args.folder)
        there = {Path(path).resolve() for path in known}
        found = map(str, expand_inputs([str(args.folder)]))
        images = [path for path in found if Path(path).resolve() not in there]
        if not 1 <= args.count <= len(images):
            raise ValueError(
                f'--count must be 1 to the {len(images)} images of {args.folder} without labels, '
                f'got {args.count}'
            )
        inferencer = MultiLabelInferencer(args.config, args.checkpoint, args.device)
        features = pooled_maps(inferencer, images, args.batch_size)
        chosen = farthest_first(
            features, pooled_maps(inferencer, known, args.batch_size), args.count
        )
        lines = [Path(images[i]).relative_to(args.folder).as_posix() for i in chosen]
        write_atomically(args.out, ''.join(f'{line}\n' for line in lines).encode())
    except (OSError, ValueError) as error:
        raise SystemExit(f'select_images.py: {error}') from error
    print(f'{args.out}: {len(chosen)} of {len(images)} images, {len(known)} have labels')


if __name__ == '__main__':
    main()
