"""Train the zoo of `configurations.py`: 1,110 networks of nine families, 512 steps each.

The runs are kept in a store of `initsk.compare_initializers`; after an interruption, the script continues from there.
It takes about an hour and a half on two cores. Writes results/trainability.csv with a row for each network:
its configuration, the loss of the best constant prediction, and the loss in training and on held-out data after 64,
128, 256 and 512 steps, in evaluation mode.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from configurations import (
    FAMILIES,
    MILESTONES,
    baseline_loss,
    batches,
    build,
    configuration,
    data_of,
    loss_of,
    optimizer_of,
)
from data import N_MEASURED
from sklearn.base import BaseEstimator

from initsk import compare_initializers
from initsk.utils.random import isolated_torch_random

RESULTS = Path(__file__).parents[1] / "results"
TABLE = RESULTS / "trainability.csv"
# Stands for a loss that is not finite.
WORST = 1e6
MEASURED = [f"{part}{word}_{step}" for part in ("train", "held") for word in ("", "_accuracy") for step in MILESTONES]
MEASURED += ["baseline", "parameters"]


class Training(BaseEstimator):
    """The training of one network of a family, as an estimator that has its own data."""

    def __init__(self, family="mlp", number=0):
        self.family = family
        self.number = number

    def fit(self, X, y=None):
        """Build and train the network, and measure its losses."""
        found = configuration(self.family, self.number)
        X_train, y_train, X_held, y_held = data_of(found)
        module = build(found)
        optimizer = optimizer_of(found, module.parameters())
        torch.set_flush_denormal(True)
        self.scores_ = {"baseline": baseline_loss(y_train), "parameters": sum(p.numel() for p in module.parameters())}
        steps = batches(len(X_train), found["number"])
        with isolated_torch_random(found["number"]):
            for number, rows in enumerate(steps, 1):
                loss = loss_of(module(X_train[rows]), y_train[rows])
                if not loss.isfinite():
                    break
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if number in MILESTONES:
                    self._measure(module, f"{number}", X_train[:N_MEASURED], y_train[:N_MEASURED], "train")
                    self._measure(module, f"{number}", X_held[:N_MEASURED], y_held[:N_MEASURED], "held")
        for number in MILESTONES:
            for name in ("train", "held"):
                self.scores_.setdefault(f"{name}_{number}", WORST)
                self.scores_.setdefault(f"{name}_accuracy_{number}", 0.0)
        return self

    def _measure(self, module, number, X, y, name):
        module.eval()
        with torch.no_grad():
            output = module(X)
        loss = float(loss_of(output, y))
        right = -1.0 if y.is_floating_point() else float((output.argmax(-1) == y).float().mean())
        self.scores_[f"{name}_{number}"] = loss if np.isfinite(loss) else WORST
        self.scores_[f"{name}_accuracy_{number}"] = right
        module.train()


def value(name, estimator, X, y):
    """Return one of the values that a training measured."""
    return estimator.scores_[name]


def train(family, n_networks, store, n_jobs):
    """Train the networks of a family, and return a frame with a row for each."""
    nothing = np.zeros((4, 1))
    scorers = {name: partial(value, name) for name in MEASURED}
    result = compare_initializers(
        Training(family), nothing, nothing[:, 0], X_val=nothing, y_val=nothing[:, 0], parameter="number",
        initializers=range(n_networks), scoring=scorers, n_repeats=1, random_state=0, n_jobs=n_jobs, store=store,
        progress=True,
    )  # fmt: skip
    return result.runs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--families", nargs="+", default=list(FAMILIES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--stores", type=Path, default=RESULTS / "stores")
    options = parser.parse_args()
    options.stores.mkdir(parents=True, exist_ok=True)
    for family in options.families:
        runs = train(family, FAMILIES[family], options.stores / f"{family}.sqlite", options.jobs)
        frame = pd.DataFrame([configuration(family, int(number)) for number in runs["initializer"]])
        measured = runs[[f"score_{name}" for name in MEASURED]].rename(columns=lambda name: name.removeprefix("score_"))
        frame = pd.concat([frame, measured], axis=1)
        frame.to_csv(options.stores / f"{family}.csv", index=False, float_format="%.6g")
    parts = [path for name in FAMILIES if (path := options.stores / f"{name}.csv").exists()]
    pd.concat([pd.read_csv(path) for path in parts]).to_csv(TABLE, index=False)


if __name__ == "__main__":
    main()
