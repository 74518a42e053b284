"""What is asked of an inspection, and what may be asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from initsk.inspection._layer_statistics import MEASURES
from initsk.inspection._layers import SITES, Layers
from initsk.inspection._recorder import Settings
from initsk.inspection._steps import OptimizerLike
from initsk.utils._random import check_random_state
from initsk.utils._validation import Constraint, boolean, integer, one_of, optional, resolved_by

Criterion = Callable[[Any, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Request:
    """What is to be measured, and how the module runs meanwhile."""

    layers: Layers
    sites: str
    settings: Settings
    training: bool = False
    criterion: Criterion | None = None
    optimizer: OptimizerLike | None = None
    weights: bool = False


def _measures(value: Any) -> str | None:
    known = isinstance(value, list | tuple | set | frozenset) and set(value) <= set(MEASURES)
    return None if known else f"a collection of {', '.join(map(repr, MEASURES))}"


def _edges(value: Any) -> str | None:
    wanted = "at least two finite numbers that increase"
    try:
        edges = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return wanted
    fine = edges.ndim == 1 and len(edges) > 1 and np.isfinite(edges).all() and (np.diff(edges) > 0).all()
    return None if fine else wanted


def _callable(what: str) -> Constraint:
    return lambda value: None if callable(value) else what


def _optimizer(value: Any) -> str | None:
    fine = isinstance(value, torch.optim.Optimizer) or callable(value)
    return None if fine else "a torch optimizer, or a function of a list of parameters that makes one"


#: What the parameters of an inspection may be.
CHECKS: dict[str, Constraint] = {
    "gradients": boolean(),
    "weights": boolean(),
    "training": boolean(),
    "batch_size": integer(1),
    "bins": integer(2),
    "edges": optional(_edges),
    "measures": _measures,
    "sites": one_of("sites", SITES),
    "criterion": optional(_callable("a function loss(output, y)")),
    "optimizer": optional(_optimizer),
    "random_state": resolved_by(check_random_state),
}
