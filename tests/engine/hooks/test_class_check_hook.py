from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from mmengine.runner import BaseLoop

from mmmsf.engine import ClassCheckHook


def make_loader(*classes: str) -> Any:
    return SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=classes)))


def make_runner(num_classes: int, train: Any, val: Any = None) -> Any:
    return SimpleNamespace(
        cfg=None,
        model=SimpleNamespace(head=SimpleNamespace(num_classes=num_classes)),
        train_dataloader=train,
        val_dataloader=val or train,
        test_dataloader=train,
        val_loop=1,
    )


def test_agreement_passes() -> None:
    runner = make_runner(2, make_loader('a', 'b'))
    hook = ClassCheckHook()
    for check in (hook.before_train, hook.before_val, hook.before_test):
        check(runner)


@pytest.mark.parametrize('stage', ['train', 'val', 'test'])
def test_wrong_number_of_classes(stage: str) -> None:
    runner = make_runner(3, make_loader('a', 'b'))
    with pytest.raises(
        ValueError,
        match=r'num_classes=3, but the \w+ dataset .* has 2 classes; '
        'set `model.head.num_classes=2`',
    ):
        getattr(ClassCheckHook(), f'before_{stage}')(runner)


@pytest.mark.parametrize(
    ('other', 'message'),
    [(('a', 'c'), r"\['b', 'c'\]"), (('b', 'a'), 'the same names in another order')],
)
def test_splits_that_differ(other: tuple[str, str], message: str) -> None:
    runner = make_runner(2, make_loader('a', 'b'), make_loader(*other))
    with pytest.raises(ValueError, match='training and validation datasets differ .*' + message):
        ClassCheckHook().before_train(runner)


@pytest.mark.parametrize('key', ['classes', 'CLASSES'])
def test_checkpoint_with_the_classes_in_another_order(key: str) -> None:
    runner = make_runner(3, make_loader('a', 'b', 'c'))
    runner._train_loop = mock.Mock(spec=BaseLoop)

    def load(*names: str) -> None:
        checkpoint = dict(meta=dict(dataset_meta={key: names}), state_dict={})
        ClassCheckHook().after_load_checkpoint(runner, checkpoint)

    load('a', 'b', 'c')
    load('x', 'y')  # a transfer
    with pytest.raises(ValueError, match=r"checkpoint and .* index 1 on: 'c' and 'b'; set `meta"):
        load('a', 'c', 'b')
    runner._train_loop = None  # a test has a check of its own
    load('a', 'c', 'b')


def test_checkpoint_without_classes_loads() -> None:
    runner = make_runner(1, make_loader('a'))
    runner._train_loop = mock.Mock(spec=BaseLoop)
    ClassCheckHook().after_load_checkpoint(runner, dict(state_dict={}))
