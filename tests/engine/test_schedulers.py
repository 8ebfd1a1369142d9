from itertools import pairwise

import mmengine.optim
import pytest
import torch

from mmmsf.engine import OneCycleLR


def make_optimizer(rates: tuple[float, ...] = (1e-3, 2e-4)) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=lr) for lr in rates]
    )


def run(optimizer: torch.optim.Optimizer, scheduler: OneCycleLR, steps: int) -> list[list[float]]:
    rates = []
    for _ in range(steps):
        rates.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return rates


def test_equals_torch_for_every_group() -> None:
    ours, theirs = make_optimizer(), make_optimizer()
    rates = run(ours, OneCycleLR(ours, total_steps=20, pct_start=0.2, by_epoch=False), 20)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(theirs, [1e-3, 2e-4], 20, pct_start=0.2)
    for step, rate in enumerate(rates):
        assert rate == pytest.approx([g['lr'] for g in theirs.param_groups]), step
        theirs.step()
        if step < 19:
            scheduler.step()


def test_a_rise_of_no_step_takes_one() -> None:
    optimizer = make_optimizer()
    # float(0.1 * 10) - 1 is zero
    scheduler = OneCycleLR(optimizer, total_steps=10, pct_start=0.1, by_epoch=False)
    rates = run(optimizer, scheduler, 10)
    assert rates[0][0] < 1e-4
    assert rates[1][0] > 0.6e-3
    assert all(later[0] <= earlier[0] for earlier, later in pairwise(rates[1:]))
    assert rates[-1][0] < 1e-6


def test_one_peak_for_all_groups_on_request() -> None:
    optimizer = make_optimizer()
    rates = run(optimizer, OneCycleLR(optimizer, total_steps=10, eta_max=5e-3, by_epoch=False), 10)
    assert max(r[0] for r in rates) == max(r[1] for r in rates) == pytest.approx(5e-3)


def test_state_holds_numbers_only() -> None:
    state = OneCycleLR(make_optimizer(), total_steps=10, by_epoch=False).state_dict()
    assert state
    assert all(not callable(value) for value in state.values())


def test_a_longer_resumed_run_follows_its_own_cycle() -> None:
    short = make_optimizer()
    scheduler = OneCycleLR(short, total_steps=10, by_epoch=False)
    run(short, scheduler, 10)
    resumed = make_optimizer()
    longer = OneCycleLR(resumed, total_steps=40, by_epoch=False)
    resumed.load_state_dict(short.state_dict())
    longer.load_state_dict(scheduler.state_dict())
    reference = make_optimizer()
    expected = run(reference, OneCycleLR(reference, total_steps=40, by_epoch=False), 40)
    assert run(resumed, longer, 30)[1:] == [pytest.approx(rate) for rate in expected[11:]]


def test_state_written_by_mmengine_is_accepted() -> None:
    theirs = mmengine.optim.OneCycleLR(
        make_optimizer(), total_steps=10, eta_max=1e-3, by_epoch=False
    )
    ours = OneCycleLR(make_optimizer(), total_steps=10, by_epoch=False)
    theirs.step()
    ours.load_state_dict(theirs.state_dict())
    assert ours.last_step == theirs.last_step


def run_momentum(optimizer: torch.optim.Optimizer, scheduler: OneCycleLR, steps: int) -> list:
    values = []
    for _ in range(steps):
        group = optimizer.param_groups[-1]
        values.append(group['betas'][0] if 'betas' in group else group['momentum'])
        optimizer.step()
        scheduler.step()
    return values


@pytest.mark.parametrize('three_phase', [False, True])
@pytest.mark.parametrize('kind', ['adamw', 'sgd'])
def test_momentum_cycles_as_in_torch(kind: str, three_phase: bool) -> None:
    def make() -> torch.optim.Optimizer:
        if kind == 'adamw':
            return make_optimizer()
        return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1, momentum=0.9)

    ours, theirs = make(), make()
    scheduler = OneCycleLR(
        ours, total_steps=20, pct_start=0.2, by_epoch=False, cycle_momentum=(0.85, 0.95),
        three_phase=three_phase,
    )  # fmt: skip
    values = run_momentum(ours, scheduler, 20)
    rates = [group['lr'] for group in theirs.param_groups]
    reference = torch.optim.lr_scheduler.OneCycleLR(
        theirs, rates, 20, pct_start=0.2, three_phase=three_phase
    )
    expected = []
    for step in range(20):
        group = theirs.param_groups[-1]
        expected.append(group['betas'][0] if 'betas' in group else group['momentum'])
        theirs.step()
        if step < 19:
            reference.step()
    assert values == pytest.approx(expected)
    assert values[0] == pytest.approx(0.95) and min(values) == pytest.approx(0.85)


def test_a_resumed_run_continues_the_cycle_of_the_momentum() -> None:
    options = dict(total_steps=20, by_epoch=False, cycle_momentum=(0.85, 0.95))
    whole = make_optimizer()
    expected = run_momentum(whole, OneCycleLR(whole, **options), 20)
    first = make_optimizer()
    scheduler = OneCycleLR(first, **options)
    assert run_momentum(first, scheduler, 8) == expected[:8]
    resumed = make_optimizer()
    continued = OneCycleLR(resumed, **options)
    resumed.load_state_dict(first.state_dict())
    continued.load_state_dict(scheduler.state_dict())
    assert run_momentum(resumed, continued, 12) == pytest.approx(expected[8:])


def test_momentum_stays_without_the_argument() -> None:
    optimizer = make_optimizer()
    scheduler = OneCycleLR(optimizer, total_steps=6, by_epoch=False)
    assert run_momentum(optimizer, scheduler, 6) == [0.9] * 6


@pytest.mark.parametrize(
    ('optimizer', 'value', 'rule'),
    [
        (make_optimizer(), (0.95, 0.85), 'lowest, highest'),
        (make_optimizer(), (0.85, 1.0), 'lowest, highest'),
        (make_optimizer(), (0.9,), 'lowest, highest'),
        (
            torch.optim.Adagrad([torch.nn.Parameter(torch.zeros(1))]),
            (0.85, 0.95),
            'without betas or momentum',
        ),
    ],
)
def test_cycle_of_the_momentum_refused(
    optimizer: torch.optim.Optimizer, value: tuple, rule: str
) -> None:
    with pytest.raises(ValueError, match=f'cycle_momentum.*{rule}.*{value[0]}'):
        OneCycleLR(optimizer, total_steps=10, by_epoch=False, cycle_momentum=value)
