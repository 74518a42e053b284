"""Fit the models of the score, and write them into the package: initsk/diagnosis/score.json.

The functions of features with a known direction are monotone: a lower loss never speaks against success. Only the
families of `configurations.DEVELOPED` are used. The intercept is that of a zoo in which half of the networks succeed.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
from configurations import DEVELOPED
from questions import MAIN, RESULTS, load_networks, make_questions
from scipy.optimize import minimize

import initsk
from initsk.diagnosis import Question, ScoreModel, static_features

SCORE = Path(initsk.__file__).parent / "diagnosis" / "score.json"
#: The features of a score, and their direction: -1 if larger values speak against success, 1 if for it, 0 if either.
FEATURES = {
    "loss": -1, "extrapolated loss": -1, "loss at a constant pace": -1, "loss of all samples": -1, "lowest loss": -1,
    "scatter of the loss": 0, "gradient size": 0, "growth of the gradient size": 0, "coherence": 1, "movement": 0,
    "update ratio": 0, "budget": 0, "target": 1,
}  # fmt: skip
STATIC = {
    "loss at the start": -1, "gradient size": 0, "coherence at the start": 1, "rate of an adaptive optimizer": 0,
    "rate times gradient": 0, "budget": 1, "target": 1,
}  # fmt: skip
N_KNOTS = 5
#: Strength of the penalty on the squares of the changes from knot to knot, in networks.
PENALTY = 1.0


def knots_of(values):
    """Return knots at quantiles of the values."""
    knots = np.unique(np.round(np.quantile(values, np.linspace(0.01, 0.99, N_KNOTS)), 5))
    return knots if len(knots) > 1 else np.unique([values.min(), values.max()])


def fit(frame, features):
    """Return the model with the greatest penalized likelihood; trials that diverged are left out."""
    frame = frame[~frame["diverged"]]
    success = frame["succeeded"].to_numpy(float)
    pieces, bounds, knots = [np.ones(len(frame))], [(None, None)], {}
    for name, direction in features.items():
        values = frame[name].to_numpy(float)
        found = knots_of(values)
        if len(found) < 2:
            continue
        knots[name] = found
        for low, high in itertools.pairwise(found):
            pieces.append(np.clip((values - low) / (high - low), 0, 1))
            bounds.append({-1: (None, 0.0), 0: (None, None), 1: (0.0, None)}[direction])
    design = np.stack(pieces, axis=1)

    def loss(weights):
        z = design @ weights
        error = (1 / (1 + np.exp(-np.clip(z, -30, 30))) - success) / len(z)
        penalty = PENALTY / len(z)
        value = np.mean(np.logaddexp(0, z) - success * z) + penalty * (weights[1:] ** 2).sum()
        return value, design.T @ error + 2 * penalty * np.append(0, weights[1:])

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"maxiter": 2000})  # fmt: skip
    weights = found.x
    # Which share of random networks succeeds is arbitrary: the score holds where half of them do.
    asked = (frame["target_loss"] == MAIN[0]) & (frame["budget_steps"] == MAIN[1])
    share = frame.loc[asked, "succeeded"].mean()
    weights[0] -= np.log(share / (1 - share))
    return as_model(weights, knots)


def as_model(weights, knots):
    """Return the model of the changes from knot to knot; every function is 0 at its first knot."""
    functions, position = {}, 1
    for name, found in knots.items():
        steps = weights[position : position + len(found) - 1]
        values = np.append(0.0, np.cumsum(steps))
        functions[name] = ([float(f"{x:.5g}") for x in found], [float(f"{x:.4g}") for x in values])
        position += len(steps)
    # Contributions are relative to the middle of each function, so that they add up from an average network.
    middles = {name: float(np.median(values)) for name, (_, values) in functions.items()}
    centered = {
        name: (at, [round(value - middles[name], 4) for value in values]) for name, (at, values) in functions.items()
    }
    return ScoreModel(round(float(weights[0]) + sum(middles.values()), 4), centered)


def static_questions(networks):
    """Return the questions with the features of a diagnosis without a trial."""
    measured = pd.read_csv(RESULTS / "trainability_measured.csv")
    first = measured.groupby(["family", "number"]).first()
    frame = make_questions(networks, lengths=(8,)).drop(columns=["budget", "target"])
    rows = []
    for row in frame.to_dict("records"):
        values = first.loc[(row["family"], row["number"])]
        question = Question(row["budget_steps"], row["target_loss"], bool(values["is_adaptive"]), values["lr"])
        rows.append(static_features(question, values["start"], values["size_start"], values["agreement_start"]))
    features = pd.DataFrame(rows, index=frame.index)
    return pd.concat([frame.drop(columns=[name for name in features if name in frame]), features], axis=1).assign(
        diverged=False
    )


def main():
    networks = load_networks(list(DEVELOPED))
    models = {
        "trial": fit(make_questions(networks), FEATURES), "static": fit(static_questions(networks), STATIC)
    }  # fmt: skip
    SCORE.write_text(json.dumps({name: model.to_dict() for name, model in models.items()}, indent=1) + "\n")
    print(SCORE)


if __name__ == "__main__":
    main()
