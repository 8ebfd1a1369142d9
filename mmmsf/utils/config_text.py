"""Read the config that a checkpoint carries as data, not as a program."""

import ast
import re
from typing import Any

from mmengine.config import Config

# A component of one of the frameworks' registries; MMEngine would import any other dotted name.
_TYPE = re.compile(r'(?:(?:mmmsf|mmpretrain|mmcv|mmengine)\.)?\w+')


def _value(node: ast.expr) -> Any:
    """A literal, or ``dict(...)`` of such values."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
        if node.func.id == 'dict' and all(word.arg for word in node.keywords):
            return {str(word.arg): _value(word.value) for word in node.keywords}
    elif isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        return {ast.literal_eval(key): _value(value)
                for key, value in zip(node.keys, node.values, strict=True) if key is not None}
    elif isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    elif isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    else:
        try:
            return ast.literal_eval(node)
        except ValueError:
            pass
    raise ValueError(f'line {node.lineno}: `{ast.unparse(node)}` is not plain data')


def _check_types(value: Any) -> None:
    """Every ``type`` must name a registered component."""
    if isinstance(value, dict):
        kind = value.get('type')
        if kind is not None and not (isinstance(kind, str) and _TYPE.fullmatch(kind)):
            raise ValueError(f"type={kind!r} does not name a component of OpenMMLab's registries")
        for item in value.values():
            _check_types(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_types(item)


def config_from_text(text: str) -> Config:
    """Parse what ``Config.pretty_text`` wrote without running it.

    MMEngine's ``Config.fromstring`` executes the text, and its registries import whatever a
    ``type`` names; a checkpoint from elsewhere must get neither.

    Args:
        text: lines ``name = value`` with literals and ``dict(...)``.

    Raises:
        ValueError: the text holds anything else, or a ``type`` that is no registered component.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f'the config is not readable: {error}') from error
    values: dict[str, Any] = {}
    for line in tree.body:
        if not (isinstance(line, ast.Assign) and len(line.targets) == 1 and
                isinstance(line.targets[0], ast.Name)):
            raise ValueError(f'line {line.lineno}: `{ast.unparse(line)}` is not `name = value`')
        values[line.targets[0].id] = _value(line.value)
    _check_types(values)
    return Config(values)
