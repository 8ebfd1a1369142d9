"""Test-time augmentation for multi-label models."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseTTAModel
from mmpretrain.structures import DataSample

from mmmsf.registry import MODELS

from .decisions import set_labels


@MODELS.register_module()
class AverageScoreTTA(BaseTTAModel):
    """Average the scores of an image's views and threshold the average.

    MMPretrain's ``AverageClsScoreTTA`` keeps the labels of the first view.
    """

    def merge_preds(self, data_samples_list: Sequence[Sequence[DataSample]]) -> list[DataSample]:
        """Merge the predictions of all views.

        Args:
            data_samples_list: For each image its predictions, one a view.

        Returns:
            For each image its first prediction with the mean ``pred_score`` (K,) and the
            ``pred_label`` of that mean.
        """
        merged = []
        for views in data_samples_list:
            score = torch.stack([view.pred_score for view in views]).mean(dim=0)
            merged.append(views[0].set_pred_score(score))
        return set_labels(self.module, merged)
