"""Cost of ``import mmmsf`` beside MMPretrain's models: ``python tools/benchmark/import_time.py``.

Every round is a fresh process with ``-X importtime``; the table has the medians over the rounds.
With ``--tools``, times until each tool prints its help and the first line of its work instead.
"""

import argparse
import platform
import statistics
import subprocess
import sys
from importlib import metadata

from _machine import load_average
from _tool_start import measure_tools, table

MODULES = ('mmpretrain.models', 'mmmsf')
VERSIONS = ('torch', 'mmengine', 'onedl-mmengine', 'mmpretrain', 'onedl-mmpretrain')


def cumulative_times() -> dict[str, float]:
    """Import the modules in a fresh process; return the cumulative time of each in ms."""
    command = [sys.executable, '-X', 'importtime', '-c', f'import {", ".join(MODULES)}']
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    times = {}
    for line in done.stderr.splitlines():
        if line.startswith('import time:') and line.count('|') == 2:
            _, cumulative, name = line.removeprefix('import time:').split('|')
            if name[1:] in MODULES:  # an import inside another is indented
                times[name[1:]] = int(cumulative) / 1000
    return times


def versions() -> str:
    found = [f'Python {platform.python_version()}']
    for name in VERSIONS:
        try:
            found.append(f'{name} {metadata.version(name)}')
        except metadata.PackageNotFoundError:
            continue
    return ', '.join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description='Measure the import time of mmmsf.')
    parser.add_argument('--rounds', type=int, default=5, help='fresh processes')
    parser.add_argument(
        '--tools', action='store_true', help='measure the tools, on a training of seconds'
    )
    args = parser.parse_args()
    command = ' '.join(['python tools/benchmark/import_time.py', *sys.argv[1:]])
    if args.tools:
        print(f'Command: {command}; {versions()}; load average {load_average()}\n')
        for line in table(measure_tools(args.rounds)):
            print(line, flush=True)
        return
    cumulative_times()  # fills the caches of the disk and of bytecode
    rounds = [cumulative_times() for _ in range(args.rounds)]
    models, own = (statistics.median(times[name] for times in rounds) for name in MODULES)
    print(f'Command: python tools/benchmark/import_time.py --rounds {args.rounds}; {versions()}\n')
    print('| import | median, ms | lowest | highest |\n|---|---|---|---|')
    for name in MODULES:
        values = [times[name] for times in rounds]
        print(
            f'| {name} | {statistics.median(values):.1f} | {min(values):.1f} | {max(values):.1f} |'
        )
    print(f'\nmmmsf adds {own / models:.2%} to mmpretrain.models (limit: 5 %)')
    raise SystemExit(own > models / 20)


if __name__ == '__main__':
    main()
