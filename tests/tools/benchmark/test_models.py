"""tools/benchmark/models.py and head.py, run as a user would on networks of seconds."""

import csv
from pathlib import Path

import pytest
import torch
from _rows import read_rows, split_row
from _runtimes import Mode
from _torch_head import TorchHead

from mmmsf.models.heads import MSFHead
from tests.helpers.run_tool import TOOLS, run_tool

CONFIGS = TOOLS.parent / 'configs'
MSF = CONFIGS / 'msf/msf_resnet18_1xb16-10e_digits-64px.py'
LINEAR = CONFIGS / 'baselines/linear_resnet18_1xb16-10e_digits-64px.py'
QUICK = ['--size', '32', '--rounds', '2', '--min-seconds', '0', '--threads', '1']


@pytest.mark.slow
def test_times_memory_and_parts(tmp_path: Path) -> None:
    done = run_tool(
        tmp_path,
        'benchmark/models.py',
        str(LINEAR),
        f'{MSF}:eager,folded,amp',
        '--batch',
        '1',
        '2',
        '--what',
        'inference',
        'train',
        'memory',
        '--parts',
        '--profile',
        '3',
        '--out',
        't.md',
        't.csv',
        '--plot',
        't.png',
        *QUICK,
    )
    assert done.returncode == 0, done.stderr
    with open(tmp_path / 't.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    got = [(row['model'], row['mode'], row['what']) for row in rows if row['batch'] == '2']
    assert got == [
        ('linear', 'eager', 'inference'),
        ('msf', 'eager', 'inference'),
        ('msf', 'folded', 'inference'),
        ('msf', 'amp', 'inference'),
        ('linear', 'eager', 'train'),
        ('msf', 'eager', 'train'),
        ('msf', 'amp', 'train'),
    ]
    assert all(
        len(row['seconds'].split()) == 2
        and float(row['share_of_peak']) > 0
        and int(row['memory_bytes']) > 4 * int(row['params'])
        for row in rows
    )
    assert [row['time_ratio'] for row in rows if row['model'] == 'linear'] == ['1.0'] * 4
    by_batch = [
        float(row['flops']) for row in rows if row['what'] == 'inference' and row['mode'] == 'amp'
    ]
    assert by_batch[1] == 2 * by_batch[0]
    train = next(row for row in rows if row['what'] == 'train')
    assert float(train['flops']) == 3 * float(rows[0]['flops'])
    text = (tmp_path / 't.md').read_text()
    assert 'command: python benchmark/models.py' in text and 'load average' in text
    assert text.count('| backbone |') == 4 and 'neck + head peak MiB' in text
    assert text.count('| calls | ms | share |') == len(rows)
    assert '| msf, amp, train, batch 2, px 32, classes 10 |' in text
    assert text in done.stdout and (tmp_path / 't.png').is_file()


def test_a_head_that_does_not_keep_its_number_of_classes(tmp_path: Path) -> None:
    csra = CONFIGS / 'baselines/csra_resnet18_1xb16-10e_digits-64px.py'
    done = run_tool(tmp_path, 'benchmark/models.py', str(csra), '--what', 'train', *QUICK)
    assert done.returncode == 0, done.stderr
    assert '| csra |' in done.stdout


def test_memory_alone_and_classes(tmp_path: Path) -> None:
    done = run_tool(
        tmp_path,
        'benchmark/models.py',
        str(MSF),
        '--num-classes',
        '3',
        '5',
        '--what',
        'memory',
        '--out',
        't.csv',
        *QUICK,
    )
    assert done.returncode == 0, done.stderr
    with open(tmp_path / 't.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(row['what'], row['classes']) for row in rows] == [
        ('inference', '3'),
        ('train', '3'),
        ('inference', '5'),
        ('train', '5'),
    ]
    # 64 channels, 3 scales: a label embedding, a weight vector and a bias for each class.
    assert int(rows[2]['params']) - int(rows[0]['params']) == 2 * (3 * 64 + 3 * 64 + 1)
    assert all(row['seconds'] == '' for row in rows)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('none.py',), 'none.py'),
        ((f'{MSF}:quick',), "got 'quick'"),
        ((str(MSF), '--batch', '0'), '--batch must be at least 1, got [0]'),
        ((str(MSF), '--out', 't.txt'), '--out must end in .md or .csv'),
        ((str(MSF), str(MSF)), 'rows must differ from each other'),
    ],
)
def test_what_cannot_be_measured(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run_tool(tmp_path, 'benchmark/models.py', *arguments, *QUICK)
    assert done.returncode != 0
    assert message in done.stderr


def test_rows_and_their_names() -> None:
    assert split_row('a/b.py') == ('a/b.py', [Mode()])
    assert split_row('C:/b.py:amp,bf16+folded') == ('C:/b.py', [Mode('amp'), Mode('bf16+folded')])
    other = CONFIGS / 'msf/msf_resnet18_1xb16-5e_digits-hard-64px.py'
    rows = read_rows([f'{MSF}:eager,amp', str(other)])
    assert [row.name for row in rows] == [MSF.stem, MSF.stem, other.stem]
    assert rows[0].model is rows[1].model is not rows[2].model


@pytest.mark.parametrize('training', [False, True])
def test_the_torch_head_is_the_same_head(training: bool) -> None:
    head = MSFHead(5, embed_dims=16, feedforward_channels=32).double().train(training)
    twin = TorchHead(head).double().train(training)
    maps = [torch.randn(2, 16, side, side + 1, dtype=torch.float64) for side in (4, 2, 1)]
    with torch.set_grad_enabled(training):
        torch.testing.assert_close(twin(maps), head(maps))
    assert sum(p.numel() for p in twin.parameters()) == sum(p.numel() for p in head.parameters())


def test_a_head_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match='profile `paper`'):
        TorchHead(MSFHead(5, embed_dims=16, query_mode='attention'))


@pytest.mark.slow
def test_the_head_benchmark(tmp_path: Path) -> None:
    done = run_tool(
        tmp_path,
        'benchmark/head.py',
        '--batch',
        '2',
        '--num-classes',
        '4',
        '--embed-dims',
        '16',
        *QUICK,
    )
    assert done.returncode == 0, done.stderr
    assert 'equal outputs and gradients' in done.stdout
    assert done.stdout.count('| MSFHead |') == 2 and '| train |' in done.stdout
