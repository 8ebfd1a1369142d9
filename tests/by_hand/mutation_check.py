"""Mutation check of the tests: ``python tests/by_hand/mutation_check.py [--count 30 --seed 0]``.

Breaks a copy of the package in one place at a time (a comparison, an operator, a number, a truth
value) and runs the tests of that part. Prints the survivors; exits with 1 if they are over a tenth.
The places are drawn at random, the same number for each part.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Part: its files, and the tests that should notice.
PARTS = {
    'neck': (
        ['models/necks/msf_neck.py', 'models/layers/scale_attention.py'],
        ['tests/models/necks', 'tests/models/backbones/test_backbones.py'],
    ),
    'head': (
        [
            'models/heads/msf_head.py',
            'models/layers/encoder.py',
            'models/layers/decoder.py',
            'models/layers/attention.py',
            'models/layers/group_linear.py',
            'models/layers/position.py',
            'models/profiles.py',
        ],
        ['tests/models/heads', 'tests/models/layers'],
    ),
    'loss': (['models/losses/asymmetric_loss.py'], ['tests/models/losses']),
    'metric': (
        [
            'evaluation/metric.py',
            'evaluation/gather.py',
            'evaluation/rows.py',
            'evaluation/summary.py',
            'evaluation/functional/average_precision.py',
            'evaluation/functional/precision_recall.py',
            'evaluation/functional/size_aware.py',
        ],
        ['tests/evaluation'],
    ),
    'data': (
        [
            'datasets/base.py',
            'datasets/coco.py',
            'datasets/voc.py',
            'datasets/csv.py',
            'datasets/class_selection.py',
            'datasets/stratification.py',
            'datasets/voc_split.py',
            'datasets/readers/coco_annotations.py',
            'datasets/readers/coco_json.py',
            'datasets/readers/coco_unknowns.py',
            'datasets/readers/image_sets.py',
            'datasets/readers/label_items.py',
            'datasets/readers/packed_labels.py',
            'datasets/readers/packing.py',
            'datasets/readers/voc_xml.py',
            'datasets/readers/label_table.py',
            'datasets/readers/tables/cells.py',
            'datasets/readers/tables/class_names.py',
            'datasets/readers/tables/column_names.py',
            'datasets/readers/tables/columns.py',
            'datasets/readers/tables/image_files.py',
            'datasets/readers/tables/label_column.py',
            'datasets/readers/tables/one_hot.py',
            'datasets/readers/tables/options.py',
            'datasets/readers/tables/pairs.py',
            'datasets/readers/tables/rows.py',
            'datasets/readers/tables/separator.py',
            'datasets/readers/tables/text.py',
            'datasets/readers/tables/via.py',
            'datasets/transforms/loading.py',
        ],
        [
            'tests/datasets',
            'tests/robustness/test_coco_json.py',
            'tests/robustness/test_image_files.py',
            'tests/robustness/test_label_table.py',
            'tests/robustness/test_voc_xml.py',
        ],
    ),
}

COMPARE = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
BINARY = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
}
BOOLEAN = {ast.And: ast.Or, ast.Or: ast.And}


@dataclass(frozen=True)
class Mutant:
    """One broken place: ``old`` at a position of a file becomes ``new``."""

    part: str
    path: str
    line: int
    start: int
    end: int
    old: str
    new: str

    def __str__(self) -> str:
        return f'{self.part}: {self.path}:{self.line}: `{self.old}` -> `{self.new}`'


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """Iterate over the nodes that are executed: no annotations, docstrings or messages."""
    skipped: list[ast.AST] = []
    if isinstance(node, ast.arg | ast.AnnAssign):
        skipped = [child for child in [node.annotation] if child is not None]
    elif isinstance(node, ast.FunctionDef):
        skipped = [*node.decorator_list, *([node.returns] if node.returns else [])]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        skipped = [node.value]
    elif isinstance(node, ast.Call):  # of zip: an assertion, no behaviour
        skipped = [keyword for keyword in node.keywords if keyword.arg == 'strict']
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise | ast.JoinedStr) or child in skipped:
            continue
        yield child
        yield from executed(child)


def broken(node: ast.AST) -> ast.AST | None:
    """Return a node with another meaning, or None."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARE:
            return ast.Compare(node.left, [COMPARE[type(op)]()], node.comparators)
        case ast.BinOp(op=op) if type(op) in BINARY:
            return ast.BinOp(node.left, BINARY[type(op)](), node.right)
        case ast.BoolOp(op=op):
            return ast.BoolOp(BOOLEAN[type(op)](), node.values)
        case ast.UnaryOp(op=ast.Not()):
            return node.operand
        case ast.Constant(value=bool(value)):
            return ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            return ast.Constant(value + 1)
    return None


def find_mutants(part: str, path: str) -> list[Mutant]:
    """Find every place of a file that can be broken."""
    text = (ROOT / 'mmmsf' / path).read_text(encoding='utf-8')
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in executed(ast.parse(text)):
        new = broken(node)
        if new is None:
            continue
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        old = text.encode()[start:end].decode()
        found.append(Mutant(part, path, node.lineno, start, end, old, f'({ast.unparse(new)})'))
    return found


def draw(count: int, seed: int) -> list[Mutant]:
    """Draw ``count`` places, spread evenly over the parts, at most one per line."""
    rng = random.Random(seed)
    chosen: list[Mutant] = []
    for i, (part, (paths, _)) in enumerate(PARTS.items()):
        places = [mutant for path in paths for mutant in find_mutants(part, path)]
        rng.shuffle(places)
        by_line = {(mutant.path, mutant.line): mutant for mutant in places}
        chosen += list(by_line.values())[: (count + i) // len(PARTS)]
    return chosen


def run_tests(folder: Path, tests: list[str], timeout: float | None) -> tuple[bool, str]:
    """Run tests in the copy; return True if they pass, and the end of the output."""
    command = [sys.executable, '-m', 'pytest', '-x', '-q', '-p', 'no:cacheprovider', *tests]
    environment = dict(os.environ, PYTHONPATH=str(folder), OMP_NUM_THREADS='1')
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return False, 'timeout'
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith(('FAILED', 'ERROR'))]
    return done.returncode == 0, (failed or lines or [done.stderr])[-1][:150]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--count', type=int, default=30)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    mutants = draw(args.count, args.seed)
    survivors, seconds = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for item in ('mmmsf', 'tests', 'configs', 'tools'):
            shutil.copytree(
                ROOT / item, folder / item, ignore=shutil.ignore_patterns('__pycache__', '.mim')
            )
        for item in ('pyproject.toml', 'README.md', 'setup.py'):
            shutil.copy(ROOT / item, folder / item)
        for part, (_, tests) in PARTS.items():
            start = time.monotonic()
            passed, last = run_tests(folder, tests, None)
            seconds[part] = time.monotonic() - start
            if not passed:
                raise SystemExit(f'the tests of {part} fail on the original code: {last}')
        for i, mutant in enumerate(mutants, start=1):
            path = folder / 'mmmsf' / mutant.path
            original = path.read_bytes()
            path.write_bytes(
                original[: mutant.start] + mutant.new.encode() + original[mutant.end :]
            )
            passed, last = run_tests(folder, PARTS[mutant.part][1], 60 + 5 * seconds[mutant.part])
            path.write_bytes(original)
            survivors += [mutant] if passed else []
            print(
                f'{i}/{len(mutants)} {"SURVIVED" if passed else "noticed"} {mutant}\n    {last}',
                flush=True,
            )
    print(f'\nnoticed: {len(mutants) - len(survivors)} of {len(mutants)}')
    for mutant in survivors:
        print(f'survived: {mutant}')
    raise SystemExit(10 * len(survivors) > len(mutants))


if __name__ == '__main__':
    main()
