"""One training step and a prediction through backbones of every family."""

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

BACKBONES = {
    'resnet18': (dict(type='ResNet', depth=18, out_indices=(2, 3)), [256, 512]),
    'resnext50': (dict(type='ResNeXt', depth=50, out_indices=(2, 3)), [1024, 2048]),
    'convnext_tiny': (
        dict(type='ConvNeXt', arch='tiny', out_indices=(2, 3), gap_before_final_norm=False),
        [384, 768],
    ),
    'swin_tiny': (
        dict(
            type='SwinTransformer', arch='tiny', img_size=64, out_indices=(2, 3), pad_small_map=True
        ),
        [384, 768],
    ),
    'mobilenet_v3': (dict(type='MobileNetV3', arch='small', out_indices=(8, 12)), [48, 576]),
    'efficientnet_b0': (dict(type='EfficientNet', arch='b0', out_indices=(4, 6)), [112, 1280]),
    'vit_single_map': (
        dict(
            type='VisionTransformer',
            arch='deit-tiny',
            img_size=64,
            patch_size=16,
            out_type='featmap',
        ),
        [192],
    ),
    'timm': (
        dict(
            type='TIMMBackbone',
            model_name='tf_efficientnet_lite0',  # its norms apply the activation as well
            features_only=True,
            out_indices=(3, 4),
        ),
        [112, 320],
    ),
}


@pytest.mark.parametrize('size', [(64, 64), (64, 96)], ids=['square', 'wide'])
@pytest.mark.parametrize('name', BACKBONES)
def test_train_step_and_predict(name: str, size: tuple[int, int]) -> None:
    if name == 'timm':
        pytest.importorskip('timm')
    backbone, channels = BACKBONES[name]
    if name == 'vit_single_map':
        backbone = dict(backbone, img_size=size)
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(backbone),
            neck=dict(type='mmmsf.MSFNeck', in_channels=channels, embed_dims=16),
            head=dict(
                type='mmmsf.MSFHead',
                num_classes=3,
                embed_dims=16,
                num_heads=2,
                feedforward_channels=16,
            ),
        )
    )
    images = torch.randn(2, 3, *size)
    samples = [DataSample().set_gt_score(torch.tensor([1.0, 0, 1])) for _ in range(2)]
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    before = model.head.fc.weight.detach().clone()
    model.loss(images, samples)['loss'].backward()
    assert [n for n, p in model.neck.named_parameters() if p.grad is None] == []
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.backbone.parameters())
    optimizer.step()
    assert not torch.equal(model.head.fc.weight, before)
    model.eval()
    with torch.no_grad():
        predictions = model.predict(images, samples)
    scores = torch.stack([p.pred_score for p in predictions])
    assert scores.shape == (2, 3)
    assert scores.isfinite().all()
