"""Real trainings of the tool that ranks labels; stand-ins replace them in the other file."""

import csv
from pathlib import Path

import pytest

from tests.helpers.colour_training import make_colour_training
from tests.helpers.run_tool import run_tool


@pytest.mark.slow
def test_real_trainings_put_the_wrong_labels_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_colour_training(tmp_path, wrong={21: 'red', 42: 'blue'})  # they show blue and red; green
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).resolve().parents[2]))
    options = ('--work-dir', 'w', '--folds', '2', '--shown', '3', '--threads', '1')
    for _ in range(2):
        done = run_tool(tmp_path, 'analysis/find_label_errors.py', 'c.py', *options)
        assert done.returncode == 0, done.stderr
    assert '0 runs to do' in done.stdout
    with open(tmp_path / 'w/errors.csv', newline='') as file:
        first = list(csv.DictReader(file))[:2]
    found = {(row['image'], row['class'], row['suggestion']) for row in first}
    assert found == {('21.png', 'red', 'add'), ('42.png', 'blue', 'remove')}
    page = (tmp_path / 'w/errors.html').read_text()
    assert page.count('<div class="shot">') == 3 and page.count('alt="attention"') == 3
