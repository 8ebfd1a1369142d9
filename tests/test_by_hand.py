"""The checks that are run by hand name files that exist."""

from pathlib import Path

import pytest

from tests.by_hand.mutation_check import PARTS

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize('part', PARTS)
def test_files_of_the_mutation_check_exist(part: str) -> None:
    sources, tests = PARTS[part]
    missing = [path for path in sources if not (ROOT / 'mmmsf' / path).is_file()]
    assert not missing + [path for path in tests if not (ROOT / path).exists()]
