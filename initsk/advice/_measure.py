"""What different initializers make of one network, measured before training."""

import copy
from dataclasses import replace
from typing import Any

import pandas as pd

from initsk.advice._findings import health
from initsk.advice._vitals import Vitals, examine
from initsk.exceptions import InitskError
from initsk.initializers import InitializerLike
from initsk.inspection import Model
from initsk.modules import initialize

#: What a recommendation is measured against.
CANDIDATES = ("auto", "torch_default", "glorot_uniform", "he_normal", "lecun_normal", "orthogonal", "edge_of_chaos")
DTYPES = {
    "initializer": "str", "score": "float64", "weakest": "str", "gradient_size": "float64", "agreement": "float64",
    "loss": "float64",
}  # fmt: skip


def initialized(model: Model, initializer: InitializerLike, seed: int) -> Model:
    """Return the model with a copy of its module, initialized otherwise."""
    module = copy.deepcopy(model.module)
    initialize(module, initializer, random_state=seed)
    return replace(model, module=module)


def measure(model: Model, X: Any, y: Any, kind: str, seed: int) -> pd.DataFrame:
    """Return a row per initializer, the healthiest first.

    Errors of "auto" are the network's and the data's, and are raised; others that fail are left out.
    """
    rows = [_row(CANDIDATES[0], examine(initialized(model, CANDIDATES[0], seed), X, y, seed), kind)]
    for name in CANDIDATES[1:]:
        try:
            vitals = examine(initialized(model, name, seed), X, y, seed)
        except InitskError:
            continue
        rows.append(_row(name, vitals, kind))
    frame = pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)
    return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _row(name: str, vitals: Vitals, kind: str) -> tuple[str, float, str, float, float, float]:
    found = health(vitals, kind)
    weakest = min(found, key=found.__getitem__)
    teaching = vitals.teaching
    return name, found[weakest], weakest, teaching.size, teaching.agreement, teaching.loss
