"""Python values as source text."""

import textwrap
from typing import Any

WIDTH = 100
WRAP: dict[str, Any] = dict(break_long_words=False, break_on_hyphens=False)


class Name(str):
    """Hold an expression that is written without quotes."""


def _entries(value: Any) -> tuple[str, str, list[tuple[str, Any]]] | None:
    """Return the brackets of a container and its entries with the text before each."""
    if isinstance(value, dict):
        if all(key.isidentifier() or key == '**' for key in value):
            return (
                'dict(',
                ')',
                [(key if key == '**' else f'{key}=', x) for key, x in value.items()],
            )
        return '{', '}', [(f'{key!r}: ', x) for key, x in value.items()]
    if isinstance(value, list):
        return '[', ']', [('', x) for x in value]
    if isinstance(value, tuple):
        return '(', ')', [('', x) for x in value]
    return None


def one_line(value: Any) -> str:
    """Write a value in one line."""
    found = _entries(value)
    if found is None:
        return str(value) if isinstance(value, Name) else repr(value)
    opening, closing, entries = found
    body = ', '.join(before + one_line(x) for before, x in entries)
    return opening + body + (',' if isinstance(value, tuple) and len(value) == 1 else '') + closing


def layout(value: Any, before: str, indent: int = 0, after: str = '') -> str:
    """Write a value behind a text, in one line if it fits, else over lines filled with its entries.

    Args:
        value: Dict (of which one with names as keys becomes a call), list, tuple or other value.
        before: Text before it on its first line.
        indent: Number of blanks before that text.
        after: Text behind it.
    """
    text = ' ' * indent + before + one_line(value) + after
    found = _entries(value)
    if len(text) <= WIDTH or found is None or not found[2]:
        return text
    opening, closing, entries = found
    inner, lines, line = indent + 4, [' ' * indent + before + opening], ''
    for number, (start, x) in enumerate(entries):
        mark = f'{closing}{after}' if number == len(entries) - 1 else ','
        item = start + one_line(x) + mark
        row = isinstance(value, list) and _entries(x) is not None  # a line of its own
        if line and not row and inner + len(line) + 1 + len(item) <= WIDTH:
            line = f'{line} {item}'
            continue
        lines += [' ' * inner + line] if line else []
        fits = inner + len(item) <= WIDTH
        line = item if fits else ''
        lines += [] if fits else [layout(x, start, inner, mark)]
    return '\n'.join(lines + ([' ' * inner + line] if line else []))


def assign(name: str, value: Any, *comments: str) -> str:
    """Write an assignment below comments, each wrapped."""
    lines = [line for comment in comments for line in textwrap.wrap(comment, WIDTH - 2, **WRAP)]
    return ''.join(f'# {line}\n' for line in lines) + layout(value, f'{name} = ') + '\n'
