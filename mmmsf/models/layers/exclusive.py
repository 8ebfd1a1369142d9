"""Softmax inside groups of classes, written as the logits of sigmoids."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmmsf.utils.groups import Group


class ExclusiveGroups(nn.Module):
    r"""Compute a softmax over the outcomes of each group.

    The outcomes of a group are its classes and, with the rule ``'at_most_one'``, none of them,
    whose logit is 0. A free class is such a group of one: the softmax over x and 0 is sigmoid(x).

    Groups of one size and rule are computed together, so many groups cost little.

    Args:
        groups: Groups without a common class.
        num_classes: Number of classes K.

    Raises:
        ValueError: A group has a class index of K or more.
    """

    place: Tensor

    def __init__(self, groups: Sequence[Group], num_classes: int) -> None:
        super().__init__()
        too_large = [x.name for x in groups if max(x.classes) >= num_classes]
        if too_large:
            raise ValueError(
                f'the classes of a group must be indices below {num_classes}, the number of '
                f'classes; they are not in {too_large}'
            )
        kinds = sorted({(len(x.classes), x.rule) for x in groups})
        self.has_none = [rule == 'at_most_one' for _, rule in kinds]
        for i, (size, rule) in enumerate(kinds):
            members = [x.classes for x in groups if (len(x.classes), x.rule) == (size, rule)]
            self.register_buffer(f'columns_{i}', torch.tensor(members), persistent=False)  # (G, M)
        place = torch.arange(num_classes)
        inside = self._inside()
        place[inside] = num_classes + torch.arange(len(inside))
        self.register_buffer('place', place, persistent=False)

    def _inside(self) -> Tensor:
        """Return the indices of the classes in groups, in the order of :meth:`parts`."""
        columns = [columns.flatten() for columns, _ in self.parts()]
        return torch.cat(columns) if columns else torch.empty(0, dtype=torch.long)

    def parts(self) -> Iterator[tuple[Tensor, bool]]:
        """Yield class indices (G, M) of the groups of one kind, and True if none may hold."""
        for i, has_none in enumerate(self.has_none):
            yield getattr(self, f'columns_{i}'), has_none

    @staticmethod
    def outcomes(x: Tensor, columns: Tensor, has_none: bool) -> Tensor:
        """Select the logits (B, G, M), or (B, G, M + 1) with none as the last outcome."""
        x = x[:, columns]
        return F.pad(x, (0, 1)) if has_none else x

    def forward(self, x: Tensor) -> Tensor:
        """Convert logits so that their sigmoid is the softmax of each group.

        Args:
            x: Logits (B, K).

        Returns:
            Log-odds log(p / (1 - p)) of the scores p (B, K), float32 or wider; a free class keeps
            its logit. They are bounded: p is at most the largest number below 1, up to rounding.
        """
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        found = [x]
        for columns, has_none in self.parts():
            part = self.outcomes(x, columns, has_none)
            log_p = part.log_softmax(dim=-1)[..., : columns.shape[1]]
            # A minimum of two tensors: a clamp would be rounded to 8 bits in a quantised model
            bound = torch.full_like(log_p[:1, :1, :1], -2 * torch.finfo(x.dtype).eps)
            log_p = torch.minimum(log_p, bound)
            found.append((log_p - (1 - log_p.exp()).log()).flatten(1))  # (B, G * M)
        return torch.cat(found, dim=1)[:, self.place]
