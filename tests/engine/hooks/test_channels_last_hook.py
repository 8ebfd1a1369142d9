from types import SimpleNamespace

import torch
from torch import nn

from mmmsf.engine import ChannelsLastHook


def test_same_numbers_in_another_layout() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3))
    x = torch.randn(2, 3, 8, 8)
    before = model(x)
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    after = model(x)
    assert after.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(after, before)
