"""Rules of the prose and of names that ruff has no code for (see .github/CONTRIBUTING.md)."""

import ast
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path
    for room in ('mmmsf', 'tools')
    for path in (ROOT / room).rglob('*.py')
    if '.mim' not in path.parts
)
FIRST_WORDS = {'What', 'Whether', 'How', 'Which', 'Of'}


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, 'lineno', 1), text


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings(path: Path) -> None:
    wrong = []
    for line, text in docstrings(path):
        if text.split()[0].strip('.,:') in FIRST_WORDS:
            wrong.append(f'{path}:{line}: begins with {text.split()[0]}')
        for section in re.findall(r'^(?:Args|Attributes):\n((?: {4}.*\n|\n)+)', text + '\n', re.M):
            entries = re.findall(r'^ {4}(\w[\w, *]*): [a-z]+[\s,.;:]', section, re.M)
            wrong += [f'{path}:{line}: `{entry}` begins in lower case' for entry in entries]
    assert not wrong, '\n'.join(wrong)


def one_letter_apart(one: str, other: str) -> bool:
    """Tell names that differ by one inserted or replaced letter."""
    if len(one) > len(other):
        one, other = other, one
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) == 1
    return len(other) - len(one) == 1 and any(
        other[:i] + other[i + 1 :] == one for i in range(len(other))
    )


def test_no_two_modules_of_a_room_differ_by_one_letter() -> None:
    for folder in {path.parent for path in FILES}:
        names = sorted(path.stem for path in folder.iterdir() if path.suffix == '.py')
        assert not [pair for pair in combinations(names, 2) if one_letter_apart(*pair)]
