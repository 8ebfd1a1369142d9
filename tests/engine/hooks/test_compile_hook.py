import copy
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.checkpoint import build_model
from mmmsf.engine import CompileHook
from mmmsf.models import MSFHead
from tests.helpers.msf_head import SMALL, make_feats
from tests.helpers.small_checkpoint import small_config


@pytest.fixture(autouse=True)
def _fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Net(nn.Module):
    """A classifier without neck."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.backbone(inputs))


def test_parts_are_compiled_in_place() -> None:
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> object:
        graphs.append(graph)
        return graph.forward

    plain = Net()
    compiled = copy.deepcopy(plain)
    CompileHook(backend=backend).before_train(SimpleNamespace(model=compiled))
    assert list(compiled.state_dict()) == list(plain.state_dict())
    inputs = torch.rand(5, 3)
    torch.testing.assert_close(compiled(inputs), plain(inputs))
    assert len(graphs) == 2
    average = copy.deepcopy(compiled)  # as EMAHook makes one
    torch.testing.assert_close(average(inputs), plain(inputs))


@pytest.mark.parametrize('branch_loss', [False, True])
def test_the_loss_of_the_head_is_compiled(branch_loss: bool) -> None:
    head = MSFHead(**SMALL, branch_loss=branch_loss)
    sizes: list[int] = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> object:
        sizes.append(len(graph.graph.nodes))
        return graph.forward

    samples = [DataSample().set_gt_score(row) for row in torch.eye(2, 5)]
    expected = copy.deepcopy(head).loss(make_feats(), samples)
    head.compile(backend=backend)
    torch.testing.assert_close(head.loss(make_feats(), samples), expected)
    assert sum(sizes) > 30


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['eager', 'aot_eager'])
def test_logits_and_gradients_of_the_network(backend: str) -> None:
    """Inductor takes these graphs; its machine code for the gradients takes minutes."""
    torch.manual_seed(0)
    plain = build_model(small_config(num_encoder_layers=1, num_decoder_layers=1))
    compiled = copy.deepcopy(plain)
    CompileHook(backend=backend).before_train(SimpleNamespace(model=compiled))
    images = torch.rand(2, 3, 32, 32)
    for model in (plain, compiled):
        model(images, mode='tensor').square().sum().backward()
    torch.testing.assert_close(
        compiled(images, mode='tensor'), plain(images, mode='tensor'), rtol=1e-4, atol=1e-5
    )
    for (name, one), other in zip(compiled.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4, msg=name)
