"""The health of a network before training: measured values against the thresholds of an optimizer."""

from typing import Any

import pandas as pd
import torch

from initsk.diagnosis._measurements import Measurements
from initsk.estimators import get_optimizer
from initsk.inspection import DECIDING, Finding, threshold_of

_ADAPTIVE = ("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SparseAdam")
# Kinds whose values enter the score gradually.
_SCORED = tuple(kind for kind in DECIDING if kind != "non-finite")
# What the values of the other kinds are computed from: gradients.
_OF = {"symmetric": "activations", "overconfident": "loss"}
# A finding of the first kind makes those of the second kind redundant.
_SAME_CAUSE = {"small gradient": "vanishing", "large gradient": "exploding"}


def optimizer_kind(optimizer: Any) -> str:
    """Return "adaptive" for Adam and similar optimizers, and "gradient" for steps along the gradient.

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


def worst_value(measurements: Measurements, optimizer: str, kind: str) -> float:
    """Return the value of the layer that is the least healthy by a kind of finding; NaN if no layer has a value."""
    threshold = threshold_of(kind, optimizer)
    return min(measurements.values[kind].values(), key=threshold.health, default=float("nan"))


def health_by_kind(measurements: Measurements, optimizer: str) -> dict[str, float]:
    """Return the health of the worst layer by each kind of finding that decides."""
    found = {"non-finite": 0.0 if measurements.nonfinite else 1.0}
    for kind in _SCORED:
        found[kind] = threshold_of(kind, optimizer).health(worst_value(measurements, optimizer, kind))
    return found


def score_of(measurements: Measurements, optimizer: str) -> float:
    """Return the score of a network: its health by the worst kind of finding."""
    return min(health_by_kind(measurements, optimizer).values())


def health_frame(measurements: Measurements, recommended: Measurements | None, optimizer: str) -> pd.DataFrame:
    """Return a row per kind of finding that decides by a value, with the values of the worst layer.

    Parameters
    ----------
    measurements : Measurements
        Of the network as it is.
    recommended : Measurements or None
        Of a copy with the recommended initializers.
    optimizer : {"gradient", "adaptive"}
    """
    given = {"": measurements} if recommended is None else {"": measurements, "recommended_": recommended}
    rows = []
    for kind in _SCORED:
        threshold = threshold_of(kind, optimizer)
        row: dict[str, Any] = {"kind": kind, "threshold": threshold.value}
        for prefix, measured in given.items():
            value = worst_value(measured, optimizer, kind)
            row |= {f"{prefix}value": value, f"{prefix}health": threshold.health(value)}
        rows.append(row)
    columns = ["kind", "value", "threshold", "health", "recommended_value", "recommended_health"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:], "float64"))


def find(measurements: Measurements, optimizer: str) -> list[Finding]:
    """Return the findings that decide, the most serious kind first, then the others.

    Parameters
    ----------
    measurements : Measurements
    optimizer : {"gradient", "adaptive"}
    """
    deciding = measurements.nonfinite.copy()
    for kind in _SCORED:
        threshold = threshold_of(kind, optimizer)
        of = _OF.get(kind, "gradients")
        deciding += [
            Finding(layer or measurements.extreme_layer(kind), kind, value, threshold.value, True, of)
            for layer, value in measurements.values[kind].items()
            if threshold.health(value) < 0.5
        ]
    known = {finding.kind for finding in deciding}
    known |= {same for kind, same in _SAME_CAUSE.items() if kind in known}
    others = [finding._replace(decides=False) for finding in measurements.in_layers if finding.kind not in known]
    depth = measurements.depth
    if depth is not None and threshold_of("too deep").flags(depth.share):
        others.append(Finding("", "too deep", depth.share, threshold_of("too deep").value, False, "depth"))
    return [*deciding, *others]
