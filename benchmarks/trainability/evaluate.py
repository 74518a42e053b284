"""Measure how well the score of a diagnosis predicts training, for families that it was not fitted to.

The score is fitted anew without each family, activation function or data set in turn, and predicts the part that was
left out. With --held-out, the model of the package, which is fitted to the developed families, predicts the families
that are held out; this is done once, after the last change of the score. Writes results/trainability_scores.csv (a row
per network), results/trainability_evaluation.csv (a row per figure) and the pictures. Intervals of 95 % are those of
resampled networks.
"""

import argparse

import numpy as np
import pandas as pd
from configurations import DEVELOPED, HELD_OUT
from fit import FEATURES, STATIC, fit, static_questions
from pictures import draw_reliability, draw_roc
from questions import (
    LENGTH,
    MAIN,
    RESULTS,
    as_diagnosed,
    load_measured,
    load_networks,
    lowest,
    make_questions,
    probabilities,
)
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score

from initsk.diagnosis import load_model

# The main question is that of `diagnose` where none is given, up to its budget of 500 steps.
QUESTIONS = (MAIN, (0.8, 256), (0.9, 512), (0.9, 256), (0.65, 512), (0.5, 512))
PARTS = ("family", "activation", "data")
N_RESAMPLES = 500
#: Numbers of finished trainings that a regression on hyperparameters gets.
FINISHED = (25, 100)
YARDSTICKS = ("lr", "trial_loss", "gradient_norm", "naswot", "synflow")


def left_out(frame, part, features):
    """Return the scores of each row by a model that was fitted without its part."""
    scores = np.full(len(frame), np.nan)
    for value in frame[part].unique():
        inside = (frame[part] == value).to_numpy()
        scores[inside] = probabilities(fit(frame[~inside], features), frame[inside])
    return scores


def area(success, value):
    """Return the area under the ROC curve, or NaN if all networks have the same outcome."""
    known = np.isfinite(value)
    success, value = success[known], value[known]
    return roc_auc_score(success, value) if 0 < success.sum() < len(success) else np.nan


def figures(success, score):
    """Return the figures of some networks by name."""
    passed = score >= 0.5
    return {
        "networks": len(score), "succeeded": int(success.sum()), "auc": area(success, score),
        "called ill, succeeded": float((~passed & success).sum() / max(success.sum(), 1)),
        "called healthy, failed": float((passed & ~success).sum() / max((~success).sum(), 1)),
        "brier": balanced_brier(success, score),
    }  # fmt: skip


def balanced_brier(success, score):
    """Return the mean squared error of the score, where successes and failures count half each."""
    errors = (score - success) ** 2
    parts = [errors[part].mean() for part in (success, ~success) if part.any()]
    return float(np.mean(parts))


def with_intervals(success, score, seed=0):
    """Return the figures, each with the ends of its interval."""
    success, score = np.asarray(success, bool), np.asarray(score, float)
    random = np.random.default_rng(seed)
    samples = [random.integers(len(score), size=len(score)) for _ in range(N_RESAMPLES)]
    drawn = pd.DataFrame([figures(success[rows], score[rows]) for rows in samples])
    low, high = drawn.quantile(0.025), drawn.quantile(0.975)
    return {name: (value, low[name], high[name]) for name, value in figures(success, score).items()}


def rows_of(name, frame, by="family"):
    """Yield a row for each figure of each question, for all networks and for each group of them."""
    for target, budget in QUESTIONS:
        asked = frame[(frame["target_loss"] == target) & (frame["budget_steps"] == budget)]
        for group, part in [("all", asked), *asked.groupby(by)]:
            for figure, (value, low, high) in with_intervals(part["succeeded"], part["score"]).items():
                yield {"evaluation": name, "target": target, "budget": budget, "group": group, "figure": figure,
                       "value": value, "low": low, "high": high}  # fmt: skip


def yardsticks(networks, frame):
    """Yield rows for other scores of untrained networks, on the main question."""
    measured = load_measured()
    measured = measured[measured["length"] == LENGTH]
    asked = frame[(frame["target_loss"] == MAIN[0]) & (frame["budget_steps"] == MAIN[1])]
    asked = asked.merge(measured[["family", "number", "lr", "naswot", "synflow", "end", "norm_start"]])
    values = {"lr": asked["lr"], "naswot": asked["naswot"], "synflow": asked["synflow"],
              "trial_loss": -asked["end"], "gradient_norm": asked["norm_start"]}  # fmt: skip
    for name in YARDSTICKS:
        found = area(asked["succeeded"].to_numpy(), values[name].to_numpy(float))
        # The better one of both directions, since none is promised.
        yield {"evaluation": f"yardstick: {name}", "figure": "auc", "value": max(found, 1 - found)}
    yield from _regressions(networks, asked)
    losses = networks.apply(lowest, axis=1, budget=MAIN[1]).set_axis(networks.set_index(["family", "number"]).index)
    found = losses.loc[list(zip(asked["family"], asked["number"], strict=True))].to_numpy()
    yield {
        "evaluation": "score",
        "figure": "spearman with the final loss",
        "value": -spearmanr(asked["score"], found)[0],
    }


def _regressions(networks, asked):
    """Yield the areas of a regression on the hyperparameters of finished trainings of the same family."""
    columns = ["lr", "weight_decay", "dropout", "share", "factor", "depth", "width"]
    words = ["activation", "optimizer", "initializer", "data", "norm"]
    coded = networks[columns].assign(**{name: networks[name].astype("category").cat.codes for name in words})
    coded["lr"], coded["factor"] = np.log(coded["lr"]), np.log(coded["factor"])
    # Some families have no depth, width or normalization.
    coded = coded.fillna(-1)
    relative = np.log((networks.apply(lowest, axis=1, budget=MAIN[1]) / networks["baseline"]).clip(1e-4, 1e2))
    keys = networks.set_index(["family", "number"]).index
    for n_finished in FINISHED:
        predicted = pd.Series(np.nan, index=keys)
        for family in networks["family"].unique():
            rows = np.flatnonzero(networks["family"] == family)
            known, other = rows[:n_finished], rows[n_finished:]
            if len(other):
                model = HistGradientBoostingRegressor(min_samples_leaf=5, random_state=0)
                predicted.iloc[other] = model.fit(coded.iloc[known], relative.iloc[known]).predict(coded.iloc[other])
        value = -predicted.loc[list(zip(asked["family"], asked["number"], strict=True))].to_numpy()
        name = f"yardstick: regression on {n_finished} finished trainings of the family"
        yield {"evaluation": name, "figure": "auc", "value": area(asked["succeeded"].to_numpy(), value)}


def developed():
    """Return the rows of all evaluations of the developed families, and the scores without the own family."""
    networks = load_networks(list(DEVELOPED))
    frame = make_questions(networks)
    rows, kept = [], None
    for part in PARTS:
        found = as_diagnosed(frame, left_out(frame, part, FEATURES))
        rows += rows_of(f"leave one {part} out", found, part)
        kept = found if part == "family" else kept
    rows += yardsticks(networks, kept)
    static = static_questions(networks)
    rows += rows_of("static, leave one family out", static.assign(score=left_out(static, "family", STATIC)))
    rows.append(
        {"evaluation": "leave one family out", "figure": "trials that went on", "value": kept["went_on"].mean()}
    )
    return rows, kept


def held_out():
    """Return the rows and scores of the families that were held out."""
    frame = make_questions(load_networks(list(HELD_OUT)), lengths=(32, 128))
    found = as_diagnosed(frame, probabilities(load_model("trial"), frame))
    return [*rows_of("held-out families", found)], found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--held-out", action="store_true")
    options = parser.parse_args()
    rows, scores = held_out() if options.held_out else developed()
    name = "trainability_held_out" if options.held_out else "trainability"
    table = pd.DataFrame(rows)
    table.to_csv(RESULTS / f"{name}_evaluation.csv", index=False, float_format="%.4g")
    asked = scores[(scores["target_loss"] == MAIN[0]) & (scores["budget_steps"] == MAIN[1])]
    kept = ["family", "number", "activation", "data", "succeeded", "score", "went_on"]
    asked[kept].to_csv(RESULTS / f"{name}_scores.csv", index=False, float_format="%.4g")
    draw_roc(asked, RESULTS / f"{name}_roc.png")
    draw_reliability(asked, RESULTS / f"{name}_reliability.png")
    shown = table[
        table["group"].isin(["all"]) | table["group"].isna() | (table["evaluation"].str.endswith("family out"))
    ]
    print(shown.to_string())


if __name__ == "__main__":
    main()
