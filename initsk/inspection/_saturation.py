"""Where an activation function saturates, found from the function itself."""

from collections.abc import Callable
from math import inf, isfinite

import torch

from initsk.utils._random import isolated_torch_random

#: A value is saturated when it has gone this share of the way from f(0) to a bound of f: there the slopes of
#: tanh and of the sigmoid are below a tenth of their largest.
SATURATED = 0.95
_FAR = (1e3, 1e4)


def saturation_bounds(function: Callable[[torch.Tensor], torch.Tensor] | None) -> tuple[float, float]:
    """Return the values at or below, and at or above, which a function of one number is saturated.

    A bound is the limit of the function at plus or minus infinity. The value at zero is none: ReLU, GELU and
    their like are off there. Infinite where there is no bound.

    Examples
    --------
    >>> saturation_bounds(torch.tanh), saturation_bounds(torch.relu)
    ((-0.95, 0.95), (-inf, inf))
    """
    if function is None:
        return -inf, inf
    points = torch.tensor([0.0, *_FAR, *(-far for far in _FAR)], dtype=torch.float64)
    try:
        # RReLU draws in training; what the module draws next is to stay.
        with torch.no_grad(), isolated_torch_random(None):
            rest, *ends = function(points).tolist()
    except Exception:  # whatever a stranger's function raises on five numbers
        return -inf, inf
    limits = [_limit(*ends[:2]), _limit(*ends[2:])]
    thresholds = [rest + SATURATED * (limit - rest) for limit in limits if isfinite(limit) and limit != rest]
    lower = [value for value in thresholds if value < rest]
    upper = [value for value in thresholds if value > rest]
    return max(lower, default=-inf), min(upper, default=inf)


def _limit(nearer: float, farther: float) -> float:
    """Return what a function tends to, or infinity, from two values far out (softsign nears its bound as 1 / x)."""
    return farther if abs(farther - nearer) <= 1e-3 * max(1.0, abs(farther)) else inf
