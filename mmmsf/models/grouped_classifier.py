"""Classifier with groups of classes that exclude each other, around any multi-label head."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.registry import MODELS
from mmmsf.utils.groups import parse_groups

from .decisions import set_labels
from .heads.contract import head_num_classes
from .layers.exclusive import ExclusiveGroups
from .losses.grouped_loss import GroupedLoss


def _to_log_odds(head: Any, args: Any, logits: Tensor) -> Tensor:
    """Replace the output of a head, outside the loss, by logits whose sigmoids are the scores."""
    return logits if head.in_loss else head.exclusive(logits)


@MODELS.register_module()
class GroupedClassifier(ImageClassifier):
    """Image classifier with exclusive groups: a softmax in each group, sigmoids elsewhere.

    It works with every multi-label head and adds no weight, so a checkpoint of an
    ``ImageClassifier`` of the same parts fits. Outside the training loss the head's output is
    converted by :class:`~mmmsf.models.layers.exclusive.ExclusiveGroups`: its sigmoids, which all
    programs take as scores, are the softmax of each group. The head's loss becomes
    :class:`~mmmsf.models.losses.grouped_loss.GroupedLoss`. Of a group the class with the highest
    score is predicted, with the rule ``'at_most_one'`` only from its threshold on.

    In a config, with the same ``groups`` in the data sets::

        model = dict(type='mmmsf.GroupedClassifier', classes=classes, groups=groups, ...)

    Args:
        head: Config or module of a multi-label head.
        groups: ``dict(name='colour', classes=['red', 'green'], rule='one')`` each; rule ``'one'``
            or ``'at_most_one'``. No class may be in two groups.
        classes: K class names in the order of their indices; needed where the groups have names
            and not indices.
        group_weight: Factor on the loss of a group; with 1 it counts as one free class.
        **kwargs: Arguments of ``ImageClassifier``.

    Raises:
        ValueError: The groups are not valid (:func:`~mmmsf.utils.groups.parse_groups`), the head
            is no multi-label one or has another number of classes.
    """

    def __init__(
        self,
        head: Mapping[str, Any] | nn.Module,
        groups: Sequence[Mapping[str, Any]],
        classes: Sequence[str] | None = None,
        group_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(head=head, **kwargs)
        if not isinstance(self.head, MultiLabelClsHead):
            raise ValueError(
                f'the head of a GroupedClassifier must be a multi-label one, got '
                f'{type(self.head).__name__}'
            )
        cfg = dict(model=dict(head=head if isinstance(head, Mapping) else {}))
        num_classes = head_num_classes(self.head, cfg)
        if classes is not None and len(classes) != num_classes:
            raise ValueError(
                f'`classes` must name the {num_classes} classes of the head, got {len(classes)}'
            )
        self.classes = None if classes is None else tuple(classes)
        self.groups = parse_groups(groups, classes, '`groups` of the model')
        exclusive = ExclusiveGroups(self.groups, num_classes)
        self.head.exclusive = exclusive
        self.head.in_loss = False
        self.head.register_forward_hook(_to_log_odds)
        self.head.loss_module = GroupedLoss(self.head.loss_module, exclusive, group_weight)

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Compute the losses of a batch from the head's own logits."""
        self.head.in_loss = True
        try:
            return super().loss(inputs, data_samples)
        finally:
            self.head.in_loss = False

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs: Any
    ) -> list[DataSample]:
        """Predict scores and labels of a batch; the labels keep the rules of the groups."""
        return set_labels(self, super().predict(inputs, data_samples, **kwargs))
