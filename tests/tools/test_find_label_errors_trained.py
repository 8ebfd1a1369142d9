"""Real trainings of the tool that ranks labels; stand-ins replace them in the other file."""

import csv
from pathlib import Path

import pytest

from tests.helpers.colour_training import make_colour_training
from tests.helpers.run_tool import run_tool


@pytest.mark.slow
@pytest.mark.parametrize(('colour', 'suggestion'), [('red', 'add'), ('green', 'remove')])
def test_real_trainings_put_the_wrong_label_first(
    colour: str, suggestion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_colour_training(tmp_path, wrong=(21, colour))  # it shows blue and red
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).resolve().parents[2]))
    options = ('--work-dir', 'w', '--folds', '2', '--shown', '3', '--threads', '1')
    for _ in range(2):
        done = run_tool(tmp_path, 'analysis/find_label_errors.py', 'c.py', *options)
        assert done.returncode == 0, done.stderr
    assert '0 runs to do' in done.stdout
    with open(tmp_path / 'w/errors.csv', newline='') as file:
        first = next(csv.DictReader(file))
    assert (first['image'], first['class'], first['suggestion']) == ('21.png', colour, suggestion)
    page = (tmp_path / 'w/errors.html').read_text()
    assert page.count('<div class="shot">') == 3 and page.count('alt="attention"') == 3
