import math

import pytest
import torch
from _timing import Spread, Task, digits, matmul_task, measure


class Clock:
    """A clock that only tasks move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        return self.now

    def task(self, name: str, *seconds: float) -> Task:
        """Takes each of ``seconds`` in turn, the last one for ever; preparing takes an hour."""
        left = list(seconds)

        def run() -> None:
            self.log.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        def prepare() -> None:
            self.now += 3600

        return Task(run, prepare)


def test_quartiles() -> None:
    assert Spread.of([4, 1, 3, 2, 5]) == Spread(3, 2, 4)
    assert Spread.of([7]) == Spread(7, 7, 7)
    assert str(Spread.of([0.5, 1.0, 4.0])) == '1.00 [0.750, 2.50]'


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (0.01234, '0.0123'),
        (1.234, '1.23'),
        (12.34, '12.3'),
        (1234.5, '1234'),
        (0, '0'),
        (math.inf, 'inf'),
    ],
)
def test_three_digits(value: float, text: str) -> None:
    assert digits(value) == text


def test_tasks_take_turns_in_both_orders_and_preparing_is_not_timed() -> None:
    clock = Clock()
    tasks = dict(a=clock.task('a', 9.0, 1.0, 2.0, 3.0), b=clock.task('b', 5.0))
    assert measure(tasks, 3, clock=clock) == dict(a=[1.0, 2.0, 3.0], b=[5.0, 5.0, 5.0])
    assert clock.log == ['a', 'b', 'a', 'b', 'b', 'a', 'a', 'b']


def test_short_calls_are_repeated_and_their_mean_is_kept() -> None:
    clock = Clock()
    tasks = dict(a=clock.task('a', 8.0, 2.0, 1.0, 3.0, 2.5), b=clock.task('b', 100.0))
    seconds = measure(tasks, 1, min_seconds=5.0, warmup=2, clock=clock)
    assert seconds == dict(a=[(1.0 + 3.0 + 2.5) / 3], b=[100.0])  # 2 s in the last warm-up


def test_the_device_is_waited_for_before_and_after() -> None:
    clock, waits = Clock(), []
    measure(
        dict(a=clock.task('a', 1.0)),
        2,
        synchronize=lambda: waits.append(len(clock.log)),
        clock=clock,
    )
    assert waits == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize('wrong', ['rounds', 'warmup'])
def test_no_rounds_is_an_error(wrong: str) -> None:
    with pytest.raises(ValueError, match=f'`{wrong}` must be at least 1, got 0'):
        measure({}, **{'rounds': 1, 'warmup': 1, wrong: 0})


def test_the_product_is_of_the_type_and_size_it_says() -> None:
    task, flops = matmul_task(torch.bfloat16, 'cpu', 16)
    out = task.run()
    assert isinstance(out, torch.Tensor)
    assert (out.dtype, out.shape, flops) == (torch.bfloat16, (16, 16), 2 * 16**3)
