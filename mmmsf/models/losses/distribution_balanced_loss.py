"""Distribution-balanced loss for long-tailed training sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmmsf.registry import MODELS

from .base import MultiLabelLoss
from .reduction import UNKNOWN, check_class_weights, float_pair


def rebalanced_weight(
    target: Tensor, counts: Tensor, alpha: float, beta: float, mu: float
) -> Tensor:
    r"""Compute the weight of each image and class from the number of images of the classes.

    An image that is drawn for one of its classes is drawn for the frequent ones beside it as well.
    With :math:`r_{ik} = \frac{1 / n_k}{\sum_{j: y_{ij} = 1} 1 / n_j}`, the share of class k among
    the draws of image i,

    .. math:: w_{ik} = \alpha + \sigma(\beta (r_{ik} - \mu)).

    Args:
        target: Targets (B, K), 0 to 1, or -1 for unknown, which counts as 0.
        counts: :math:`n_k`, (K,), at least 1.
        alpha: Lift of all weights.
        beta: Steepness.
        mu: Share r at which a weight is :math:`\alpha + 1/2`.

    Returns:
        Weights (B, K). In an image without a positive all are :math:`\alpha + 1`; without
        steepness all of all images are :math:`\alpha + 1/2`.
    """
    inverse = 1 / counts
    total = (target.clamp(min=0) * inverse).sum(dim=-1, keepdim=True)
    share = (inverse / total).clamp(max=torch.finfo(inverse.dtype).max)  # 0 * inf is NaN
    return alpha + torch.sigmoid(beta * (share - mu))


@MODELS.register_module()
class DistributionBalancedLoss(MultiLabelLoss):
    r"""Weight any elementwise loss by class frequency and co-occurrence, and tolerate negatives.

    The loss of an element is multiplied by :func:`rebalanced_weight`. In addition the logits of
    class k are shifted by :math:`\nu_k = -\frac{\kappa}{\lambda} \log(N / n_k - 1)`, so that a rare
    class has to score higher, and a negative has the loss of :math:`\lambda (x + \nu_k)`, divided
    by :math:`\lambda`, so that its gradient vanishes sooner. Soft targets count as positives there.

    ``mmmsf.LabelCountHook``, which every run of this package has, sets the numbers of images
    :math:`n_k` and N from the training set. A class without images counts as one image.

    In a config: ``loss=dict(type='mmmsf.DistributionBalancedLoss')``.

    Source: Wu et al., "Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed
    Datasets" (ECCV 2020); the sign and scale of the shift are those of its authors' code, where
    the paper has another sign.

    Args:
        loss: Config of the weighted loss, a loss of this package that has elements; by default the
            focal loss, ``mmmsf.AsymmetricLoss`` with both exponents 2.
        alpha, beta, mu: See :func:`rebalanced_weight`.
        kappa: Factor of the shift.
        neg_scale: :math:`\lambda`, at least 1.
        reduction, loss_weight: As in :class:`mmmsf.models.losses.MultiLabelLoss`.

    Raises:
        ValueError: An argument is outside the values above, or ``loss`` has no elements or a
            reduction or weight of its own.
    """

    def __init__(
        self,
        loss: Mapping[str, Any] | nn.Module | None = None,
        alpha: float = 0.1,
        beta: float = 10.0,
        mu: float = 0.2,
        kappa: float = 0.05,
        neg_scale: float = 2.0,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        for name, value in (('alpha', alpha), ('beta', beta), ('kappa', kappa)):
            if not value >= 0:
                raise ValueError(f'`{name}` must be at least 0, got {value}')
        if not neg_scale >= 1:
            raise ValueError(f'`neg_scale` must be at least 1, got {neg_scale}')
        if loss is None:
            loss = dict(type='mmmsf.AsymmetricLoss', gamma_pos=2.0, gamma_neg=2.0)
        no_elements = MultiLabelLoss.elementwise
        built: Any = MODELS.build(dict(loss)) if isinstance(loss, Mapping) else loss
        if getattr(type(built), 'elementwise', no_elements) is no_elements:
            raise ValueError(
                '`loss` must be a loss of this package with a value for each element, got '
                f'{type(built).__name__}'
            )
        for name, default in (('reduction', 'mean'), ('loss_weight', 1.0)):
            if getattr(built, name) != default:
                raise ValueError(
                    f'`loss` must leave `{name}` to DistributionBalancedLoss, got '
                    f'{name}={getattr(built, name)!r}'
                )
        self.loss = built
        self.alpha = alpha
        self.beta = beta
        self.mu = mu
        self.kappa = kappa
        self.neg_scale = neg_scale
        # No buffers: they would come after a weight average has copied the model, and the average
        # takes buffers by their order.
        self.counts: Tensor | None = None
        self.shift: Tensor | None = None

    def set_label_counts(self, counts: Sequence[int], num_images: int) -> None:
        """Set the number of images of each class and the number of all images."""
        images = max(num_images, 2)
        # At least one image on either side of the odds
        known = torch.as_tensor(counts, dtype=torch.float32).clamp(1, images - 1)
        self.counts = known
        self.shift = -self.kappa / self.neg_scale * (images / known - 1).log()

    def elementwise(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compute the loss (B, K) of each element.

        Raises:
            ValueError: The label counts are not set, or are those of another number of classes.
        """
        if self.counts is None or self.shift is None:
            raise ValueError(
                'the label counts of DistributionBalancedLoss must be set before the loss is '
                "computed, got None: add dict(type='mmmsf.LabelCountHook') to `custom_hooks`, or "
                'call `set_label_counts`'
            )
        check_class_weights(pred, counts=self.counts)
        self.to(pred.device)
        logits, target = float_pair(pred, target)
        counts, shift = self.counts.to(logits), self.shift.to(logits)
        weight = rebalanced_weight(target, counts, self.alpha, self.beta, self.mu)
        negative = (target == 0) | (target == UNKNOWN)
        scale = torch.where(negative, self.neg_scale, 1.0).to(logits)
        return weight / scale * self.loss.elementwise(scale * (logits + shift), target)
