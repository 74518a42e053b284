"""Memory that is used again: to ask the system for it anew costs more than the arithmetic done in it."""

import threading
from typing import Any

import torch

#: Values that stay in a processor's cache while they are looked at several times.
BLOCK = 2**18
_THREAD = threading.local()


def scratch(purpose: str, like: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a tensor of the size of `like`, at most `BLOCK`, with arbitrary values; this thread's until the next call.

    Examples
    --------
    >>> scratch("example", torch.zeros(3), torch.float64).shape
    torch.Size([3])
    """
    held: dict[Any, torch.Tensor] = _THREAD.__dict__
    key = purpose, like.device, dtype
    if key not in held:
        held[key] = torch.empty(BLOCK, dtype=dtype, device=like.device)
    return held[key][: like.numel()]
