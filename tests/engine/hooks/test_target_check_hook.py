"""Trainings on VOC's layout with unknown targets, with losses and mixing of MMPretrain."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.datasets import VOC_CLASSES
from mmmsf.engine.hooks.target_check_hook import check_targets, first_unknown
from mmmsf.engine.launch import build_runner
from mmmsf.models.losses import MaskedLoss
from tests.helpers.small_checkpoint import small_config
from tests.helpers.small_data import make_voc

BCE = dict(type='CrossEntropyLoss', use_sigmoid=True)
SOFTMAX = dict(type='LabelSmoothLoss', label_smooth_val=0.1)  # over all classes of an image
UNKNOWN = [[1], [], [2, 3], []]  # classes that are only difficult, by image


@ROOT_DATASETS.register_module(force=True)
class TargetsOfAUser(BaseDataset):
    """Targets as given, without a dataset class of this project or of MMPretrain."""

    METAINFO = dict(classes=VOC_CLASSES)
    targets: ClassVar[dict[str, list[Any]]] = {}  # not in the config, which is formatted slowly

    def load_data_list(self) -> list[dict]:
        return [
            dict(img_path=path, **({'gt_score': row} if len(row) == 20 else {'gt_label': row}))
            for path, row in self.targets.items()
        ]


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / 'VOC'
    make_voc(root, 'train')
    for i, classes in enumerate(UNKNOWN):
        path = root / f'Annotations/train_{i:06d}.xml'
        difficult = ''.join(
            f'<object><name>{VOC_CLASSES[k + 10]}</name><difficult>1</difficult></object>'
            for k in classes
        )
        path.write_text(path.read_text().replace('</annotation>', f'{difficult}</annotation>'))
    return root


def make_config(root: Path, loss: dict | None = None, **dataset: Any) -> Any:
    cfg = small_config(num_classes=20, **({} if loss is None else dict(loss=loss)))
    cfg.train_dataloader = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
        dataset={
            **dict(type='mmmsf.VocMultiLabel', data_root=str(root), split='train'),
            **dataset,
            'pipeline': cfg.test_dataloader.dataset.pipeline,
        },
    )
    cfg.pop('test_dataloader')
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
    cfg.default_hooks = dict(non_finite=dict(type='mmmsf.NonFiniteLossHook'), checkpoint=None)
    cfg.work_dir = str(root.parent / 'work')
    cfg.log_level = 'ERROR'
    cfg.experiment_name = f'targets_{np.random.default_rng().integers(2**62)}'
    cfg.randomness = dict(seed=0)
    return cfg


def seen_targets(runner: Runner) -> list[Tensor]:
    """Record the targets that reach the loss of the head, before it masks them."""
    seen: list[Tensor] = []
    runner.model.head._get_loss = lambda score, samples, **kwargs: (
        seen.extend(sample.gt_score for sample in samples),
        type(runner.model.head)._get_loss(runner.model.head, score, samples, **kwargs),
    )[1]
    return seen


@pytest.mark.parametrize(
    'loss',
    [
        BCE,
        dict(type='FocalLoss'),
        dict(type='AsymmetricLoss'),
        dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='multi_label'),
    ],
    ids=lambda loss: loss['type'],
)
def test_unknown_classes_get_no_gradient_from_losses_of_mmpretrain(voc: Path, loss: dict) -> None:
    """A plain loss of MMPretrain trains on -1 as on a number."""
    runner = build_runner(make_config(voc, loss, difficult='ignore'))
    rows: list[Tensor] = []

    def record(module: nn.Module, args: Any, score: Tensor) -> None:
        score.register_hook(lambda grad: rows.extend(grad))

    runner.model.head.register_forward_hook(record)
    runner.train()
    assert isinstance(runner.model.head.loss_module, MaskedLoss)
    without = [(row == 0).nonzero().flatten().tolist() for row in rows]
    assert without == [[k + 10 for k in classes] for classes in UNKNOWN]


@pytest.mark.parametrize('augment', ['Mixup', 'CutMix', 'ResizeMix'])
def test_mixing_keeps_unknown_targets_unknown(voc: Path, augment: str) -> None:
    cfg = make_config(voc, BCE)
    cfg.model.train_cfg = dict(augments=dict(type=augment, alpha=1.0))
    runner = build_runner(cfg)
    seen = seen_targets(runner)
    runner.train()
    targets = torch.stack(seen)
    assert ((targets == -1) | ((targets >= 0) & (targets <= 1))).all()
    assert (targets[:, 11:14] == -1).any()


def test_a_loss_that_cannot_be_masked_is_refused_before_the_first_step(voc: Path) -> None:
    runner = build_runner(make_config(voc, SOFTMAX))
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    with pytest.raises(ValueError, match=r"000000.jpg .*LabelSmoothLoss: .*difficult='negative'"):
        runner.train()
    assert all(
        torch.equal(value, before[name]) for name, value in runner.model.state_dict().items()
    )


def test_such_a_loss_trains_on_data_without_unknown_targets(voc: Path) -> None:
    runner = build_runner(make_config(voc, SOFTMAX, difficult='negative'))
    runner.train()
    assert runner.iter == 2
    assert not isinstance(runner.model.head.loss_module, MaskedLoss)


@ROOT_MODELS.register_module(force=True)
class SumOfErrors(nn.Module):
    """A user's loss without an elementwise form."""

    def forward(self, pred: Tensor, target: Tensor, avg_factor: float) -> Tensor:
        return (pred.sigmoid() - target).abs().sum() / avg_factor


def user_config(voc: Path, targets: list[Any], loss: dict | None = None) -> Any:
    paths = sorted((voc / 'JPEGImages').iterdir())
    TargetsOfAUser.targets = {str(path): row for path, row in zip(paths, targets, strict=True)}
    cfg = make_config(voc, loss, type='TargetsOfAUser')
    for key in ('data_root', 'split'):
        cfg.train_dataloader.dataset.pop(key)
    return cfg


def test_a_wrong_target_stops_the_training(voc: Path) -> None:
    """Binary cross-entropy of a target of 1.5 is finite."""
    targets = [[0.0] * 20 for _ in range(4)]
    targets[3][7] = 1.5
    with pytest.raises(ValueError, match=r'from 0 to 1.* got 1.5 of class 7 .*000003.jpg'):
        build_runner(user_config(voc, targets, BCE)).train()


@pytest.mark.parametrize('value', [float('nan'), -0.5, -2.0, float('inf')])
def test_a_wrong_target_names_the_image(value: float) -> None:
    samples = [
        DataSample(metainfo=dict(img_path=f'{i}.jpg')).set_gt_score([0.0, 1.0, -1.0])
        for i in range(3)
    ]
    assert check_targets(samples, 3).shape == (3, 3)
    samples[1].gt_score[2] = value
    with pytest.raises(ValueError, match=rf'from 0 to 1.* got {value:g} of class 2 for 1.jpg'):
        check_targets(samples, 3)


def test_an_unknown_target_that_only_the_batch_shows_stops_the_step(voc: Path) -> None:
    targets = [[0.0] * 20 for _ in range(4)]
    targets[2][0] = -1.0
    cfg = user_config(voc, targets, dict(type='SumOfErrors'))
    with pytest.raises(ValueError, match='000002.jpg are partly unknown.*SumOfErrors'):
        build_runner(cfg).train()


def test_soft_targets_and_labels_side_by_side(voc: Path) -> None:
    """MMPretrain looks for `gt_score` in the first sample of a batch only."""
    runner = build_runner(user_config(voc, [[1, 4], [0.3] * 20, [-1.0] * 20, [2]], BCE))
    seen = seen_targets(runner)
    runner.train()
    targets = torch.stack(seen)
    assert targets[0].nonzero().flatten().tolist() == [1, 4]
    assert (targets[1] == 0.3).all() and (targets[2] == -1).all()
    assert targets[3].nonzero().flatten().tolist() == [2]


def test_missing_and_short_targets_name_the_image() -> None:
    sample = DataSample(metainfo=dict(img_path='a.jpg'))
    with pytest.raises(ValueError, match='neither for a.jpg'):
        check_targets([sample], 3)
    with pytest.raises(ValueError, match=r'shape \(3,\), got \(2,\) for a.jpg'):
        check_targets([sample.set_gt_score([0.0, 1.0])], 3)


def test_first_unknown_reads_any_data_set() -> None:
    assert first_unknown(object()) is None
    TargetsOfAUser.targets = {'a.jpg': [1, 2], 'b.jpg': [0.0] * 19 + [-1.0]}
    assert first_unknown(TargetsOfAUser(ann_file='')) == 'b.jpg'
