"""The questions that a score answers: will the loss of a network fall below a target within a budget."""

import itertools
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
from configurations import MILESTONES

from initsk.diagnosis import REACHED, Question, TrialValues

RESULTS = Path(__file__).parents[1] / "results"
#: Losses relative to the baseline loss.
TARGETS = (0.9, 0.8, 0.65, 0.5, 0.35)
LENGTHS = (8, 32, 128)
#: The target and the budget of `diagnose` where none are given; its budget is 500 steps.
MAIN = (0.8, 512)
#: What identifies a question; all other columns of a frame are features or belong to the network.
QUESTION = ["family", "number", "budget_steps", "target_loss"]
#: The trial of a diagnosis goes on while its score is between these bounds.
LENGTH, LONGER, UNCERTAIN = 32, 128, (0.05, 0.95)


def load_networks(families):
    """Return the trained networks of some families, a row for each."""
    table = pd.read_csv(RESULTS / "trainability.csv")
    return table[table["family"].isin(families)].reset_index(drop=True)


def load_measured():
    """Return the measured trials, a row for each network and each of `LENGTHS`.

    A trial that diverged has no longer ones, and stands for them too.
    """
    measured = pd.read_csv(RESULTS / "trainability_measured.csv")
    network = ["family", "number"]
    measured["length"] = np.take(LENGTHS, measured.groupby(network).cumcount())
    rows = pd.MultiIndex.from_frame(
        measured[network].drop_duplicates().merge(pd.Series(LENGTHS, name="length"), "cross")
    )
    by_length = measured.set_index([*network, "length"]).reindex(rows)
    return by_length.groupby(network, sort=False).ffill().reset_index()


def lowest(network, budget):
    """Return the lowest loss of a network that was measured within a budget.

    A loss in evaluation mode scatters where the running moments of batch normalization are behind.
    """
    return min(float(network[f"train_{step}"]) for step in MILESTONES if step <= budget)


def make_questions(networks, lengths=LENGTHS):
    """Return a row for each network, length of the trial, budget and target, with the features and the outcome.

    Budgets are at least twice as long as the trial.
    """
    measured = load_measured()
    trained = networks.set_index(["family", "number"])
    names = [field.name for field in fields(TrialValues)]
    rows = []
    for row in measured[measured["length"].isin(lengths)].to_dict("records"):
        key = row["family"], row["number"]
        if key not in trained.index:
            continue
        network, values = trained.loc[key], TrialValues(**{name: row[name] for name in names})
        for budget, target in itertools.product(MILESTONES, TARGETS):
            if budget < 2 * row["length"]:
                continue
            question = Question(budget, target, row["is_adaptive"], row["lr"])
            rows.append(
                {
                    "family": key[0], "number": key[1], "budget_steps": budget, "target_loss": target,
                    "length": row["length"], "diverged": row["n_steps"] < row["length"],
                    "activation": network["activation"], "data": network["data"],
                    "succeeded": lowest(network, budget) < target * network["baseline"],
                    **values.features(question),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def probabilities(model, frame):
    """Return the scores of a model for the rows of a frame; 0 where the trial diverged."""
    z = model.intercept + sum(np.interp(frame[name], *function) for name, function in model.functions.items())
    found = 1 / (1 + np.exp(-np.clip(z, -30, 30)))
    if "loss" in model.functions:
        reached = frame[["loss", "loss of all samples"]].max(axis=1) < 0
        found = np.where(reached, np.maximum(found, REACHED), found)
    return np.where(frame["diverged"], 0.0, found)


def as_diagnosed(frame, scores):
    """Return a row per question with the score of a diagnosis: of the longer trial where the shorter is uncertain."""
    frame = frame.assign(score=scores)
    short, long = (frame[frame["length"] == length] for length in (LENGTH, LONGER))
    found = short.merge(long[[*QUESTION, "score"]], on=QUESTION, how="left", suffixes=("", "_long"))
    uncertain = found["score"].between(*UNCERTAIN) & found["score_long"].notna() & ~found["diverged"]
    return found.assign(score=found["score"].where(~uncertain, found["score_long"]), went_on=uncertain)
