"""Counting of the operators that torch dispatches."""

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def count_operators(run: Callable[[], object]) -> int:
    """Count the operators of a call, views included."""
    with _Counter() as counter:
        run()
    return counter.count
