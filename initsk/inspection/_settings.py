"""Settings of an inspection, and their constraints."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from initsk.inspection.capture._layer_choice import POSITIONS, Layers
from initsk.inspection.statistics._gradients import OptimizerLike
from initsk.inspection.statistics._layer import MEASURES
from initsk.utils.random import check_random_state
from initsk.utils.validation import Constraint, boolean, integer, one_of, optional, resolved_by

#: A function of the output and y that returns their mean loss.
Criterion = Callable[[Any, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class InspectionSettings:
    """Settings of an inspection: the measures and the mode of the module; see `inspect_activations`."""

    layers: Layers = None
    positions: str = "both"
    gradients: bool = False
    weights: bool = False
    criterion: Criterion | None = None
    optimizer: OptimizerLike | None = None
    measures: Collection[str] = MEASURES
    training: bool = False
    bins: int = 128
    edges: Sequence[float] | None = None


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


def _criterion(value: Any) -> str | None:
    return None if callable(value) else "a function loss(output, y)"


def _optimizer(value: Any) -> str | None:
    fine = isinstance(value, torch.optim.Optimizer) or callable(value)
    return None if fine else "a torch optimizer, or a function of a list of parameters that makes one"


#: Constraints of the parameters of an inspection.
CONSTRAINTS: dict[str, Constraint] = {
    "gradients": boolean(),
    "weights": boolean(),
    "training": boolean(),
    "batch_size": integer(1),
    "bins": integer(2),
    "edges": optional(_edges),
    "measures": _measures,
    "positions": one_of("positions", POSITIONS),
    "criterion": optional(_criterion),
    "optimizer": optional(_optimizer),
    "random_state": resolved_by(check_random_state),
}
