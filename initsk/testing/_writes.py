"""Counting how often torch writes into a tensor."""

from collections import Counter
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

# These end like a function that writes, and leave the values.
_NO_WRITES = {"requires_grad_", "detach_", "share_memory_"}


class Writes(TorchFunctionMode):
    """Count the functions of torch that write into a tensor inside the block, in this thread.

    Examples
    --------
    >>> tensor = torch.zeros(2)
    >>> with Writes() as writes:
    ...     _ = tensor.add_(1)
    ...     tensor[0] = 3
    >>> writes.into(tensor)
    2
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[int] = Counter()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run a function of torch's, and count it if it writes."""
        kwargs = kwargs or {}
        name = str(getattr(func, "__name__", ""))
        in_place = name.endswith("_") and not name.endswith("__") and name not in _NO_WRITES
        if in_place or name == "__setitem__" or (name.startswith("__i") and len(args) == 2) or "out" in kwargs:
            target = kwargs.get("out", args[0] if args else kwargs.get("tensor"))
            if isinstance(target, torch.Tensor):
                self._counts[target.data_ptr()] += 1
        return func(*args, **kwargs)

    def into(self, tensor: torch.Tensor) -> int:
        """Return how often was written into the memory of a tensor; 0 if it has none."""
        return self._counts[tensor.data_ptr()] if tensor.numel() and not tensor.is_meta else 0
