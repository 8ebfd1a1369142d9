from types import SimpleNamespace
from typing import Any

import pytest

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
