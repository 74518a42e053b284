"""From which number on a network does not train, and how sure that is; fitted by ``benchmarks/prediction.py``."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, isnan, log10
from typing import Any

import torch

from initsk.estimators import get_optimizer

# A number of 0 is as far below every limit as this.
_LEAST, _GREATEST = 1e-12, 1e12


@dataclass(frozen=True)
class Limit:
    """A number below which, or above which, networks do not train.

    Parameters
    ----------
    threshold : float
        Where as many trained as did not.
    width : float
        How gradual that is: in decades for sizes, otherwise in the number's own unit.
    above : bool, default=True
        Whether healthy numbers lie above.
    is_size : bool, default=True
        Whether the number is a size, which is compared by its logarithm.

    Examples
    --------
    >>> limit = Limit(0.01, 0.25)
    >>> [round(limit.health(number), 2) for number in (1.0, 0.01, 0.001)]
    [1.0, 0.5, 0.02]
    """

    threshold: float
    width: float
    above: bool = True
    is_size: bool = True

    def health(self, number: float) -> float:
        """Return 0.5 at the threshold, and more on the healthy side, up to 1; NaN says nothing against a network."""
        if isnan(number):
            return 1.0
        distance = _log(number) - _log(self.threshold) if self.is_size else number - self.threshold
        steps = (distance if self.above else -distance) / self.width
        return 1 / (1 + exp(-min(max(steps, -700.0), 700.0)))


def _log(number: float) -> float:
    return log10(min(max(number, _LEAST), _GREATEST))


#: By the kind of optimizer: "adaptive" ones, such as Adam, make up for small gradients.
LIMITS: Mapping[str, Mapping[str, Limit]] = {
    "gradient": {
        "symmetric": Limit(0.5, 0.05, above=False, is_size=False),
        "vanishing": Limit(0.0013, 0.1),
        "exploding": Limit(300.0, 0.1, above=False),
        "incoherent": Limit(0.2, 0.093, is_size=False),
        "disproportionate": Limit(0.0034, 0.28),
        "overconfident": Limit(55.0, 0.1, above=False),
    },
    "adaptive": {
        "symmetric": Limit(0.5, 0.05, above=False, is_size=False),
        "vanishing": Limit(0.000084, 0.1),
        "exploding": Limit(330000.0, 0.85, above=False),
        "incoherent": Limit(0.29, 0.09, is_size=False),
        "disproportionate": Limit(0.00019, 1.0),
        "overconfident": Limit(26000.0, 1.0, above=False),
    },
}
_ADAPTIVE = ("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SparseAdam")


def optimizer_kind(optimizer: Any) -> str:
    """Return "adaptive" for Adam and its like, and "gradient" for steps along the gradient.

    Parameters
    ----------
    optimizer : str, torch optimizer or its class, or None
        What `get_optimizer` takes, an optimizer, or None for "gradient".

    Examples
    --------
    >>> optimizer_kind(torch.optim.NAdam), optimizer_kind("sgd"), optimizer_kind(None)
    ('adaptive', 'gradient', 'gradient')
    """
    if optimizer is None:
        return "gradient"
    kind = type(optimizer) if isinstance(optimizer, torch.optim.Optimizer) else get_optimizer(optimizer)
    return "adaptive" if any(base.__name__ in _ADAPTIVE for base in kind.__mro__) else "gradient"
