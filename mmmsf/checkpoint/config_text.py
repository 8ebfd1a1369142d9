"""The config in a checkpoint, read as data rather than as a program."""

import ast
from collections.abc import Iterator
from typing import Any

from mmengine import registry as root_registries
from mmengine.config import Config
from mmengine.registry import Registry

from mmmsf.registry import ROOT_BATCH_AUGMENTS

_SCOPE_KEYS = ('default_scope', '_scope_')


def _value(node: ast.expr) -> Any:
    """Evaluate a literal, or ``dict(...)`` or ``dict({...})`` of such values."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        if not node.args and all(word.arg for word in node.keywords):
            return {str(word.arg): _value(word.value) for word in node.keywords}
        # as MMEngine writes keys that are no names: dict({'head.fc': 1})
        if len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Dict):
            return _value(node.args[0])
    elif isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        return {
            ast.literal_eval(key): _value(value)
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        }
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


def _registries() -> Iterator[Registry]:
    """Iterate over MMEngine's registries, MMPretrain's of batch augmentations, and all below."""
    found = [value for value in vars(root_registries).values() if isinstance(value, Registry)]
    found.append(ROOT_BATCH_AUGMENTS)
    while found:
        registry = found.pop()
        yield registry
        found += registry.children.values()


def _is_registered(name: str) -> bool:
    """Check that a registry holds ``Name``, or one of the scope holds ``scope.Name``."""
    scope, dot, key = name.rpartition('.')
    places = [registry for registry in _registries() if not dot or registry.scope == scope]
    if any(key in registry.module_dict for registry in places):
        return True
    for registry in places:
        registry.import_from_location()  # modules that are not loaded yet
    return any(key in registry.module_dict for registry in places)


def _check_names(value: Any) -> None:
    """Check that every ``type`` is a registered component and every scope a loaded framework.

    For any other name MMEngine would import a module of that name, or call a function by it.
    """
    if isinstance(value, dict):
        kind = value.get('type')
        if kind is not None and not (isinstance(kind, str) and _is_registered(kind)):
            raise ValueError(
                f'type={kind!r} is in no registry; if it is a component of your own, '
                'import the module that registers it first'
            )
        for key in _SCOPE_KEYS:
            scope = value.get(key)
            if scope is not None and scope not in {registry.scope for registry in _registries()}:
                raise ValueError(f'{key}={scope!r} is the scope of no registry')
        for item in value.values():
            _check_names(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_names(item)


def _read(text: str) -> dict[str, Any]:
    """Parse the assignments and check the names in their values."""
    tree = ast.parse(text)
    values: dict[str, Any] = {}
    for line in tree.body:
        if not (
            isinstance(line, ast.Assign)
            and len(line.targets) == 1
            and isinstance(line.targets[0], ast.Name)
        ):
            raise ValueError(f'line {line.lineno}: `{ast.unparse(line)}` is not `name = value`')
        values[line.targets[0].id] = _value(line.value)
    _check_names(values)
    return values


def config_from_text(text: str) -> Config:
    """Parse the output of ``Config.pretty_text`` without executing it.

    MMEngine's ``Config.fromstring`` executes the text, and its registries import any module that a
    ``type`` names; a checkpoint from an unknown source must do neither.

    Args:
        text: Lines ``name = value`` with literals and ``dict(...)``.

    Raises:
        ValueError: The text holds anything else, or a ``type`` that is no registered component.
    """
    try:
        return Config(_read(text))
    except (SyntaxError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise ValueError(f'the config is not readable: {error}') from error
