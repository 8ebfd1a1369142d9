import pytest
import torch
from _complexity import count_complexity, input_size
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmmsf.checkpoint.loading import build_model
from mmmsf.models.layers import Encoder


class Tiny(BaseModel):
    """A 3x3 convolution, an encoder layer, a linear layer: all countable by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 8, 3, padding=1)
        self.neck = Encoder(1, 8, 2, 16, nn.ReLU)
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor, mode: str = 'tensor') -> Tensor:
        x = self.backbone(images).flatten(2).transpose(1, 2)
        return self.head(self.neck(x, [x.shape[1]]).mean(1))


def test_counts_equal_those_by_hand() -> None:
    model = Tiny().train()
    cost = count_complexity(model, (4, 6))
    N, C = 24, 8
    projections = 2 * N * C * (3 * C + C)
    attention = 2 * (2 * N * N * C)
    feedforward = 2 * N * C * 16 * 2
    assert cost.flops == dict(
        backbone=2 * N * C * 27, neck=projections + attention + feedforward, head=2 * C * 5
    )
    assert cost.params == {
        name: sum(p.numel() for p in part.parameters())
        for name, part in model.named_children()
        if len(list(part.parameters()))
    }
    assert cost.total_flops == sum(cost.flops.values())
    assert model.training


@pytest.mark.slow
def test_the_paper_s_model_costs_what_the_arithmetic_says() -> None:
    cfg = Config.fromfile('configs/msf/msf_resnet101_6xb21-80e_coco14-448px.py')
    cost = count_complexity(build_model(cfg), (448, 448))
    assert cost.total_params == 69_546_128
    neck = 2 * 512 * (784 * 1024 + 196 * 2048 + 49 * 9 * 2048)
    N, C, K, F = 1029, 512, 80, 2048
    squares = 784**2 + 196**2 + 49**2
    encoder = 2 * (2 * N * C * 4 * C + 4 * C * squares + 4 * N * C * F)
    keys_values = 3 * 2 * N * C * 2 * C
    queries = 3 * K  # of the three branches
    decoder = keys_values + 3 * (2 * queries * C * 2 * C + 4 * C * K * N + 4 * queries * C * F)
    assert cost.flops['neck'] == neck
    assert cost.flops['head'] == pytest.approx(encoder + decoder, rel=2e-3)


def test_input_size_of_resized_and_of_raw_images(tmp_path) -> None:
    cfg = Config.fromfile('configs/msf/msf_resnet101_6xb21-80e_coco14-576px.py')
    assert input_size(cfg) == (576, 576)
    cfg = Config.fromfile('configs/msf/msf_resnet18_1xb16-10e_digits-64px.py')
    cfg.test_dataloader.dataset.update(data_root=str(tmp_path), num_images=dict(train=1, val=1))
    assert input_size(cfg) == (64, 64)


def test_gradients_are_not_left_behind() -> None:
    model = Tiny()
    count_complexity(model, (4, 4))
    assert all(p.grad is None for p in model.parameters())
    assert torch.is_grad_enabled()
