"""Random damage to small valid files: an error that names the file, or the right content.

The quick tests run the same examples every time. The long ones draw new ones::

    FUZZ_EXAMPLES=20000 pytest tests/robustness -m slow -k fuzz
"""

import copy
import json
import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmmsf

PACKAGE = str(Path(mmmsf.__file__).parent)
QUICK = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LENGTHS = [pytest.param(False, id='quick'), pytest.param(True, id='long', marks=pytest.mark.slow)]
LONG = settings(
    max_examples=int(os.environ.get('FUZZ_EXAMPLES', 500)),
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def attempt(path: Path, load: Callable[[], Any]) -> Any:
    """Call ``load``; return None after an error of ours, and fail on any other error."""
    try:
        return load()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        assert type(error).__name__ in (
            'ValueError',
            'FileNotFoundError',
            'OSError',
            'ImageReadError',
        ), repr(error)
        assert last.startswith(PACKAGE), f'{error!r} comes from {last}'
        assert str(path) in str(error), repr(error)
        return None


def damaged_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """A few bytes changed, taken out or put in, a part doubled, the end cut off."""
    place = st.integers(0, len(content))
    edit = st.one_of(
        st.tuples(st.just('set'), place, st.binary(min_size=1, max_size=4)),
        st.tuples(st.just('insert'), place, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just('flip'), place, st.integers(0, 7)),
        st.tuples(st.just('delete'), place, st.integers(1, 40)),
        st.tuples(st.just('repeat'), place, st.integers(1, 40)),
        st.tuples(st.just('cut'), place, st.just(0)),
    )

    def apply(edits: list[tuple[str, int, Any]]) -> bytes:
        data = bytearray(content)
        for what, at, value in edits:
            at = min(at, len(data))
            if what == 'set':
                data[at : at + len(value)] = value
            elif what == 'insert':
                data[at:at] = value
            elif what == 'flip' and at < len(data):
                data[at] ^= 1 << value
            elif what == 'delete':
                del data[at : at + value]
            elif what == 'repeat':
                data[at:at] = data[at : at + value]
            elif what == 'cut':
                del data[at:]
        return bytes(data)

    return st.lists(edit, min_size=1, max_size=4).map(apply)


def damaged_text(text: str, words: list[str]) -> st.SearchStrategy[bytes]:
    """Words of the format in wrong places, besides damaged bytes."""
    places = [match.start() for match in re.finditer(r'\b|\W', text)]
    edit = st.tuples(
        st.sampled_from(places), st.integers(0, 12), st.sampled_from(words) | st.text(max_size=3)
    )

    def apply(edits: list[tuple[int, int, str]]) -> bytes:
        result = text
        for at, length, word in edits:
            result = result[:at] + word + result[at + length :]
        return result.encode('utf-8', 'surrogatepass')

    return st.lists(edit, min_size=1, max_size=3).map(apply) | damaged_bytes(text.encode())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(['a.jpg', '../a.jpg', './b.jpg', 'dog', '1', 10**400]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths_of(value: Any, path: tuple = ()) -> list[tuple]:
    found = [path]
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        found += paths_of(item, (*path, key))
    return found


def damaged_json(content: Any) -> st.SearchStrategy[bytes]:
    """Values replaced by others of any kind, taken out, or put in twice."""
    edit = st.tuples(
        st.sampled_from(paths_of(content)[1:]),
        st.sampled_from(['set', 'set', 'delete', 'repeat', 'move']),
        JSON,
    )

    def apply(edits: list[tuple[tuple, str, Any]]) -> bytes:
        result = copy.deepcopy(content)
        for path, what, value in edits:
            owner = result
            try:
                for key in path[:-1]:
                    owner = owner[key]
                if what == 'set':
                    owner[path[-1]] = value
                elif what == 'delete':
                    del owner[path[-1]]
                elif what == 'repeat' and isinstance(owner, list):
                    owner.append(copy.deepcopy(owner[path[-1]]))
                elif what == 'move' and isinstance(owner, list):
                    owner.insert(0, owner.pop())
            except (KeyError, IndexError, TypeError):  # an earlier edit took it away
                pass
        return json.dumps(result).encode()

    return st.lists(edit, min_size=1, max_size=3).map(apply)


def fuzz(
    check: Callable[[Path, bytes], None],
    folder: Path,
    contents: st.SearchStrategy[bytes],
    long: bool,
) -> None:
    """Call ``check(folder, content)`` for many contents; hypothesis prints one that fails."""
    (LONG if long else QUICK)(given(content=contents)(lambda content: check(folder, content)))()
