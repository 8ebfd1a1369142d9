import torch
from _machine import describe_run, versions

from mmmsf.version import __version__


def test_a_run_is_described() -> None:
    text = describe_run(['python', 'x.py', '--name', 'a b'], 'cpu')
    command, packages, cpu, load = text.splitlines()
    assert command == "command: python x.py --name 'a b'"
    assert f'mmmsf {__version__}' in packages and f'torch {torch.__version__}' in packages
    assert f'{torch.get_num_threads()} threads' in cpu
    assert load.startswith('load average: ')


def test_packages_that_are_missing_are_left_out() -> None:
    assert versions(['no_such_package', 'torch']) == f'torch {torch.__version__}'
