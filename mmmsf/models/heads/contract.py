"""Contract between a classification head and the programs that use it.

To train, a head derives from MMPretrain's ``MultiLabelClsHead`` and computes logits (B, K) in
``forward``. Prediction, thresholds, export, the demo and the report need one thing more:

``num_classes``: int
    K. The config's ``model.head.num_classes`` is used for a head that does not store it, such as
    MMPretrain's ``CSRAClsHead``.

A head may offer maps of where it finds each class:

``attention_maps(feats, layer=-1)``: list of Tensor
    One (B, K, h_i, w_i) a scale, and one more of ``MSFHead``'s pooling; every map sums to one.
    ``feats`` is the input of ``forward``, ``layer`` the number of the decoder layer. Raises
    ValueError for a layer that does not exist.
``has_attention``: bool, optional
    False for an instance that cannot compute them although its class has the method.

``calibration`` is the name of the module that :func:`~.calibration.calibrate_head` adds to a head
for prediction; the scores are then the sigmoid of its output.

Without ``attention_maps``, heads of MMPretrain that are linear in the last map get class
activation maps (:mod:`.attention_maps`). Tools read no other attribute of a head, except ``thr``
and ``topk`` of ``MultiLabelClsHead``.
"""

from typing import Any

from mmpretrain.models.heads import CSRAClsHead, LinearClsHead, MultiLabelLinearClsHead
from torch import nn

# Heads whose only layer is `fc`, a linear one
LINEAR_HEADS = (LinearClsHead, MultiLabelLinearClsHead)


def _declared(cfg: Any) -> Any:
    """Read ``model.head.num_classes`` of a config, also below test-time augmentation."""
    model = {} if cfg is None else cfg.get('model') or {}
    while 'module' in model:
        model = model['module']
    return (model.get('head') or {}).get('num_classes')


def _width(head: Any) -> int | None:
    """Return the number of logits of a head whose last layer is known, None for any other."""
    if type(head) is CSRAClsHead:
        return head.csra_heads[0].head.out_channels
    if type(head) in LINEAR_HEADS:
        return head.fc.out_features
    return None


def head_num_classes(head: nn.Module | None, cfg: Any = None) -> int:
    """Read the number of classes K of a head.

    Args:
        head: Head of a classifier.
        cfg: Config that the classifier was built from, asked where the head does not store K.

    Raises:
        ValueError: There is no head, neither it nor the config states K, K is not a positive
            integer, or it is not the number of the head's logits.
    """
    name = type(head).__name__
    if head is None:
        raise ValueError('the model must have a `head`, got a model without one')
    number = getattr(head, 'num_classes', None)
    if number is None:
        number = _declared(cfg)
    if number is None:
        raise ValueError(
            f'`num_classes` must be an attribute of {name} or set in the config, got neither; '
            'store it in `__init__` or set `model.head.num_classes`'
        )
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f'`num_classes` of {name} must be a positive integer, got {number!r}')
    width = _width(head)
    if width not in (None, number):
        raise ValueError(
            f'`num_classes` of {name} must be the number of its logits, {width}, got {number}'
        )
    return number


def offers_attention(head: nn.Module | None) -> bool:
    """Return True for a head that computes ``attention_maps``."""
    return hasattr(head, 'attention_maps') and getattr(head, 'has_attention', True)
