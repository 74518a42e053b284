"""The finite values of a tensor, and their range."""

from math import inf, isfinite
from typing import NamedTuple

import torch


class Finite(NamedTuple):
    """Finite values, flat; the smallest and largest (inf and -inf if there are none); how many were not finite."""

    values: torch.Tensor
    low: float
    high: float
    left_out: int


def finite_part(values: "torch.Tensor | Finite") -> Finite:
    """Return the finite values of a tensor, in float32 at least; what is a `Finite` already stays as it is.

    Examples
    --------
    >>> finite_part(torch.tensor([[1.0, torch.nan], [-2.0, torch.inf]]))
    Finite(values=tensor([ 1., -2.]), low=-2.0, high=1.0, left_out=2)
    """
    if isinstance(values, Finite):
        return values
    values = values.detach().flatten()
    values = values if values.dtype == torch.float64 else values.float()
    n_values = values.numel()
    if n_values:
        # The extremes carry NaN and infinity, so that only tensors that hold some are searched.
        low, high = (float(extreme) for extreme in torch.aminmax(values))
        if isfinite(low) and isfinite(high):
            return Finite(values, low, high, 0)
        values = values[torch.isfinite(values)]
    if values.numel() == 0:
        return Finite(values, inf, -inf, n_values)
    low, high = (float(extreme) for extreme in torch.aminmax(values))
    return Finite(values, low, high, n_values - values.numel())
