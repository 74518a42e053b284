"""A function of one number as a module, which tracing takes as one operation."""

from collections.abc import Callable

import torch
from torch import nn


class ElementwiseFunction(nn.Module):
    """A function of one tensor as a module, ``torch.sin`` for one.

    Parameters
    ----------
    function : callable
        Works element by element on tensors.

    Examples
    --------
    >>> ElementwiseFunction(torch.square)(torch.tensor([1.0, -2.0]))
    tensor([1., 4.])
    """

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the function."""
        return self.function(x)

    def extra_repr(self) -> str:
        """Name the function."""
        return getattr(self.function, "__name__", repr(self.function))
