import torch
from torch import nn

from mmmsf.engine import CpuAmpOptimWrapper


def test_forward_in_bfloat16_weights_in_float32() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    wrapper = CpuAmpOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        out = model(torch.randn(3, 4))
    assert out.dtype == torch.bfloat16
    assert not torch.is_autocast_enabled('cpu')
    wrapper.update_params(out.float().square().mean())
    assert model.weight.dtype == torch.float32
    assert not torch.equal(model.weight, before)
