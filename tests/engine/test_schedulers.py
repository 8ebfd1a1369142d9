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
