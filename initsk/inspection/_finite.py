"""The finite values of a tensor, and their range."""

from math import inf, isfinite

import torch


def finite_part(values: torch.Tensor) -> tuple[torch.Tensor, float, float]:
    """Return the finite values, flat, with their smallest and largest (inf and -inf if there are none).

    Examples
    --------
    >>> finite_part(torch.tensor([[1.0, torch.nan], [-2.0, torch.inf]]))
    (tensor([ 1., -2.]), -2.0, 1.0)
    """
    values = values.detach().flatten()
    if values.numel():
        # The extremes carry NaN and infinity, so that only tensors that hold some are searched.
        low, high = (float(extreme) for extreme in torch.aminmax(values))
        if isfinite(low) and isfinite(high):
            return values, low, high
        values = values[torch.isfinite(values)]
    if values.numel() == 0:
        return values, inf, -inf
    low, high = (float(extreme) for extreme in torch.aminmax(values))
    return values, low, high
