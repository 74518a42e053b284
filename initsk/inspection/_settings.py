"""Settings of an inspection, and their constraints."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from initsk.inspection.capture._layer_choice import POSITIONS, Layers
from initsk.inspection.statistics._gradients import OptimizerLike
from initsk.inspection.statistics._layer import MEASURES
from initsk.network import Criteria, check_criterion, check_optimizer
from initsk.utils.random import check_random_state
from initsk.utils.validation import Constraint, allow, boolean, integer, one_of, optional, resolved_by


@dataclass(frozen=True)
class InspectionSettings:
    """Settings of an inspection: the measures and the mode of the module; see `inspect_activations`."""

    layers: Layers = None
    positions: str = "both"
    gradients: bool = False
    weights: bool = False
    criterion: Criteria | None = None
    optimizer: OptimizerLike | None = None
    measures: Collection[str] = MEASURES
    training: bool = False
    bins: int = 128
    edges: Sequence[float] | None = None


def _are_measures(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and set(value) <= set(MEASURES)


def _are_edges(value: Any) -> bool:
    try:
        edges = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return False
    return bool(edges.ndim == 1 and len(edges) > 1 and np.isfinite(edges).all() and (np.diff(edges) > 0).all())


#: Constraints of the parameters of an inspection.
CONSTRAINTS: dict[str, Constraint] = {
    "gradients": boolean(),
    "weights": boolean(),
    "training": boolean(),
    "batch_size": integer(1),
    "bins": integer(2),
    "edges": optional(allow(_are_edges, "at least two finite numbers that increase")),
    "measures": allow(_are_measures, f"a collection of {', '.join(map(repr, MEASURES))}"),
    "positions": one_of("positions", POSITIONS),
    "criterion": resolved_by(check_criterion),
    "optimizer": resolved_by(check_optimizer),
    "random_state": resolved_by(check_random_state),
}
