"""The score: the probability that training succeeds, as a sum of functions of single features."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import exp
from typing import Any

import numpy as np
import pandas as pd

#: The smallest score if a trial has reached the target already, as 99 % of such networks of the zoo did in evaluation.
REACHED = 0.99
#: The fewest steps of the trials that the score was fitted to.
SHORTEST_TRIAL = 8


@dataclass(frozen=True)
class ScoreModel:
    r"""A logistic model whose log-odds are a sum of piecewise linear functions, one for each feature.

    .. math:: \text{score} = 1 / (1 + e^{-z}), \quad z = b + \sum_k f_k(x_k)

    Outside of its outermost knots a function is constant (Hastie and Tibshirani 1990, generalized additive models).

    Parameters
    ----------
    intercept : float
    functions : dict of str to pair of list of float
        By feature, the knots and the values at the knots, in log-odds.

    Examples
    --------
    >>> model = ScoreModel(0.0, {"loss": ([0.0, 1.0], [2.0, -2.0])})
    >>> model.contributions({"loss": 0.25})
    {'loss': 1.0}
    >>> round(model.probability({"loss": 0.5}), 2)
    0.5
    """

    intercept: float
    functions: dict[str, tuple[list[float], list[float]]]

    def contributions(self, features: Mapping[str, float]) -> dict[str, float]:
        """Return what each feature adds to the log-odds."""
        return {
            name: float(np.interp(features[name], knots, values)) for name, (knots, values) in self.functions.items()
        }

    def probability(self, features: Mapping[str, float]) -> float:
        """Return the probability that training succeeds."""
        z = self.intercept + sum(self.contributions(features).values())
        return 1 / (1 + exp(-min(max(z, -30.0), 30.0)))

    def to_dict(self) -> dict[str, Any]:
        """Return the model as it stands in the package's file of models."""
        return {"intercept": self.intercept, "functions": {name: list(f) for name, f in self.functions.items()}}


@cache
def load_model(name: str) -> ScoreModel:
    """Return the model "trial" or "static", fitted by ``benchmarks/trainability/evaluate.py``."""
    text = resources.files("initsk.diagnosis").joinpath("score.json").read_text("utf-8")
    found = json.loads(text)[name]
    return ScoreModel(found["intercept"], {key: (knots, values) for key, (knots, values) in found["functions"].items()})


def contributions_frame(model: ScoreModel, features: Mapping[str, float]) -> pd.DataFrame:
    """Return a row per feature: ``feature``, ``value``, ``contribution`` to the log-odds; the largest ones first."""
    added = model.contributions(features)
    rows = sorted(((name, features[name], added[name]) for name in added), key=lambda row: -abs(row[2]))
    frame = pd.DataFrame(rows, columns=["feature", "value", "contribution"])
    return frame.astype({"feature": "str", "value": "float64", "contribution": "float64"})
