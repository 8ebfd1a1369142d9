"""Labels of predicted scores."""

from collections.abc import Sequence
from typing import Any

import torch
from mmpretrain.structures import DataSample

from mmmsf.utils.groups import Group, exclusive_decisions


def model_groups(model: Any) -> tuple[Group, ...]:
    """Return the exclusive groups of a classifier, none for most."""
    return getattr(model, 'groups', ())


def set_labels(model: Any, samples: Sequence[DataSample]) -> list[DataSample]:
    """Set ``pred_label`` of samples from their ``pred_score``, as a classifier decides.

    Args:
        model: Classifier. Classes are chosen by ``thr`` of its head, else the ``topk`` highest;
            with thresholds, its groups keep their rules.
        samples: Samples with ``pred_score`` (K,).

    Returns:
        The samples.
    """
    head, groups = model.head, model_groups(model)
    for sample in samples:
        score = sample.pred_score
        if head.thr is None:
            sample.set_pred_label(score.topk(head.topk).indices)
            continue
        decided = score >= head.thr
        if groups:
            found = exclusive_decisions(decided.cpu().numpy(), score.cpu().numpy(), groups)
            decided = torch.from_numpy(found).to(score.device)
        sample.set_pred_label(torch.where(decided)[0])
    return list(samples)
