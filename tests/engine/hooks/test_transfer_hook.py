import re
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmmsf.engine import TransferHook
from mmmsf.models import MSFNeck


class _Loop(BaseLoop):
    def run(self) -> None:
        """Nothing."""


def make_runner(num_classes: int, training: bool = True, resume: bool = False) -> SimpleNamespace:
    model = nn.ModuleDict(dict(body=nn.Linear(2, 2), fc=nn.Linear(2, num_classes)))
    loop = _Loop(None, DataLoader([0])) if training else dict(by_epoch=True)
    return SimpleNamespace(
        _resume=resume, _train_loop=loop, model=model, logger=MMLogger.get_current_instance()
    )


def test_excluded_weights_are_dropped_and_the_rest_stays() -> None:
    state = make_runner(5).model.state_dict()
    TransferHook(exclude=['fc.']).after_load_checkpoint(make_runner(3), dict(state_dict=state))
    assert sorted(state) == ['body.bias', 'body.weight']


@pytest.mark.parametrize('kwargs', [dict(training=False), dict(resume=True)])
def test_testing_and_resuming_load_everything(kwargs: dict) -> None:
    state = make_runner(3).model.state_dict()
    TransferHook(exclude=['fc.']).after_load_checkpoint(
        make_runner(3, **kwargs), dict(state_dict=state)
    )
    assert len(state) == 4


@pytest.mark.parametrize('change', ['missing', 'left over', 'shape'])
def test_another_network_is_refused(change: str) -> None:
    state = dict(make_runner(3).model.state_dict())
    if change == 'missing':
        del state['body.bias']
    elif change == 'shape':
        state['body.bias'] = torch.zeros(7)
    else:
        state['neck.bias'] = torch.zeros(7)
    name = 'neck.bias' if change == 'left over' else 'body.bias'
    with pytest.raises(ValueError, match=f'of another shape: {re.escape(name)}. Load'):
        TransferHook(exclude=['fc.']).after_load_checkpoint(make_runner(3), dict(state_dict=state))


@pytest.mark.parametrize('reverse', [False, True])
def test_the_mark_of_scaled_convolutions_may_be_absent(reverse: bool) -> None:
    with_mark, without = (MSFNeck([4, 4], 4, init_scale=value) for value in (0.3, None))
    source, own = (without, with_mark) if not reverse else (with_mark, without)
    runner = make_runner(3)
    runner.model = nn.ModuleDict(dict(neck=own))
    state = nn.ModuleDict(dict(neck=source)).state_dict()
    TransferHook(exclude=['fc.']).after_load_checkpoint(runner, dict(state_dict=state))
    runner.model.load_state_dict(state)


def test_a_bare_string_is_refused() -> None:
    with pytest.raises(ValueError, match='`exclude` must be a non-empty list'):
        TransferHook(exclude='fc.')


class TwoPart(BaseModel):
    """A body and a classifier of 3 classes; training does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fc = nn.Linear(2, 2), nn.Linear(2, 3)

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> dict[str, torch.Tensor]:
        return dict(loss=self.fc(self.body(inputs)).sum())


def test_in_a_real_run_the_checkpoint_sets_all_but_the_classes(tmp_path) -> None:
    torch.save(
        dict(
            state_dict={
                'body.weight': torch.full((2, 2), 7.0),
                'body.bias': torch.full((2,), 7.0),
                'fc.weight': torch.full((5, 2), 7.0),
                'fc.bias': torch.full((5,), 7.0),
            }
        ),
        tmp_path / 'five.pth',
    )
    model = TwoPart()
    start = model.fc.weight.detach().clone()
    runner = Runner(
        model,
        str(tmp_path / 'work'),
        train_dataloader=DataLoader([dict(inputs=torch.zeros(2))] * 2),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        custom_hooks=[TransferHook(exclude=['fc.']), dict(type='EMAHook')],
        load_from=str(tmp_path / 'five.pth'),
        experiment_name=tmp_path.name,
        default_hooks=dict(checkpoint=None),
        cfg=Config(dict()),
    )
    runner.train()
    assert torch.equal(model.body.weight, torch.full((2, 2), 7.0))
    assert torch.equal(model.fc.weight, start)
