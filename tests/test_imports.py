"""Imports run one way through the rooms of the package, and without circles."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A room may import the rooms of its own row and of those below it.
ROWS = (
    ('apis', 'deploy', 'report', 'visualization'),
    ('engine', 'evaluation'),
    ('models', 'datasets', 'checkpoint'),
    ('utils',),
    ('registry', 'version'),
)
ROW_OF = {room: number for number, row in enumerate(ROWS) for room in row}


def module_name(path: Path) -> str:
    """Dotted name of a file, of its folder for ``__init__.py``."""
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


FILES = {module_name(path): path for path in sorted((ROOT / 'mmmsf').rglob('*.py'))}


def imported(name: str, path: Path, top_level: bool = False) -> Iterator[tuple[str, int]]:
    """Modules of the package that a file imports, and the level of the import.

    Args:
        name: dotted name of the file.
        path: the file.
        top_level: leave out imports inside functions.
    """
    package = name.split('.') if path.name == '__init__.py' else name.split('.')[:-1]
    tree = ast.parse(path.read_text(encoding='utf-8'))
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = '.'.join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                found = f'{source}.{alias.name}'
                if found in FILES or source in FILES:
                    yield (found if found in FILES else source), node.level


def test_every_room_has_its_row() -> None:
    rooms = {name.split('.')[1] for name in FILES if '.' in name}
    assert rooms == set(ROW_OF)


@pytest.mark.parametrize('name', [name for name in FILES if '.' in name])
def test_no_import_runs_up(name: str) -> None:
    room = name.split('.')[1]
    for target, _ in imported(name, FILES[name]):
        other = target.split('.')[1] if '.' in target else None
        assert other is not None, f'{name} imports the whole package'
        assert ROW_OF[other] >= ROW_OF[room], f'{name} imports {target}, which lies above it'


def test_there_is_no_circle() -> None:
    """Of single modules; a folder's ``__init__`` stands for what it re-exports."""
    graph = {
        name: {target for target, _ in imported(name, path, top_level=True)} - {name}
        for name, path in FILES.items()
        if path.name != '__init__.py'
    }
    list(TopologicalSorter(graph).static_order())


def test_rooms_of_a_row_form_no_circle() -> None:
    graph: dict[str, set[str]] = {room: set() for room in ROW_OF}
    for name, path in FILES.items():
        if '.' in name:
            room = name.split('.')[1]
            graph[room] |= {target.split('.')[1] for target, _ in imported(name, path)} - {room}
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize('name', FILES)
def test_relative_inside_a_folder_absolute_across(name: str) -> None:
    path = FILES[name]
    folder = module_name(path.parent / '__init__.py')
    for target, level in imported(name, path):
        assert level <= 1, f'{name} climbs with {"." * level} to {target}'
        home = target if FILES[target].name == '__init__.py' else target.rpartition('.')[0]
        inside = target == folder or home == folder
        below = target.startswith(folder + '.')
        assert level == 1 if inside else below or level == 0, f'{name}: {target}'


def test_tools_are_not_imported() -> None:
    helpers = {path.stem for path in (ROOT / 'tools').rglob('*.py')}
    for path in FILES.values():
        tree = ast.parse(path.read_text(encoding='utf-8'))
        names = {
            name.split('.')[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or '']
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
        }
        assert not names & (helpers | {'tools', 'tests'}) - {'test', 'train'}, path
