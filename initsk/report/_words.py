"""Sentences of a comparison, computed from the numbers; nothing here is said that they do not carry."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import pandas as pd

from initsk.utils._language import Language, get_language, message

ENGLISH = "en"
_WITHOUT_SCORE = {
    "failed": message("{count} of {total} runs failed and give no score: {names}."),
    "diverged": message("{count} of {total} runs diverged and give no score: {names}."),
}


def answer(summary: pd.DataFrame, language: str = ENGLISH) -> str:
    """Say in a few sentences what the comparison found."""
    say = get_language(language)
    scored = summary[summary["n_runs"] > 0]
    if scored.empty:
        return say("No run gave a score.")
    best = scored.iloc[0]
    others = scored.iloc[1:]
    said = [_best(best, say, alone=len(summary) == 1)]
    if others.empty:
        return said[0]
    if not isfinite(best.low):
        said.append(say("With one run of it, differences cannot be told from noise."))
        return " ".join(said)
    tied = others[others["tied_with_best"].fillna(False).astype(bool)]
    worse = others.loc[~others["tied_with_best"].fillna(True).astype(bool), "initializer"].tolist()
    untested = others.loc[others["tied_with_best"].isna(), "initializer"].tolist()
    if len(tied):
        names = say.all_of(tied["initializer"].tolist())
        said += [say("Not told apart from it at the 5 % level: {names}.", names=names), _too_few(tied, say)]
    if worse:
        said.append(say("Lower beyond noise: {names}.", names=say.all_of(worse)))
    if untested:
        names = say.all_of(untested)
        said.append(say("Not tested, for want of shared repeats whose differences vary: {names}.", names=names))
    return " ".join(part for part in said if part)


def _best(best: Any, say: Language, *, alone: bool) -> str:
    values = {"name": best.initializer, "score": say.number(best.mean_score), "n": say.integer(best.n_runs)}
    if alone and not isfinite(best.low):
        return say("{name} has a score of {score} (one run).", **values)
    if alone:
        interval = {"low": say.number(best.low), "high": say.number(best.high)}
        return say(
            "{name} has a mean score of {score} (95 % interval {low} to {high}, {n} runs).", **values, **interval
        )
    if not isfinite(best.low):
        return say("{name} has the highest mean score, {score} (one run).", **values)
    return say(
        "{name} has the highest mean score, {score} (95 % interval {low} to {high}, {n} runs).",
        low=say.number(best.low), high=say.number(best.high), **values,
    )  # fmt: skip


def _too_few(tied: pd.DataFrame, say: Language) -> str:
    """Say how many pairs would tell the first of those who are not told apart."""
    needed = tied["n_needed"].dropna()
    if needed.empty:
        return ""
    if not isfinite(needed.min()):
        return say("No number of runs on such splits would tell them apart, if the differences are as they were seen.")
    nearest = tied[tied["n_needed"] == needed.min()].iloc[0]
    return say(
        "If the difference to {name}, {difference}, is what it seems, {needed} paired runs would show it in four of"
        " five experiments; these are {runs}.",
        name=nearest.initializer, difference=say.number(abs(nearest.difference_to_best)),
        needed=say.integer(needed.min()), runs=say.integer(nearest.n_runs),
    )  # fmt: skip


def slow_starts(summary: pd.DataFrame, target: float, language: str = ENGLISH) -> str:
    """Say who reached the target later than the best did, or not at all."""
    say = get_language(language)
    reached = summary.dropna(subset="epochs_to_target")
    if reached.empty:
        return ""
    best, name = reached["epochs_to_target"].iloc[0], reached["initializer"].iloc[0]
    values = {"name": name, "target": say.number(target), "epoch": say.short(best)}
    if not isfinite(best):
        return say("The median run of {name} does not reach a score of {target}.", **values)
    if len(summary) == 1:
        return say("The median run of {name} reaches a score of {target} in epoch {epoch}.", **values)
    late = reached[reached["epochs_to_target"] > best]
    parts = [
        say("{name} in epoch {epoch}", name=row.initializer, epoch=say.short(row.epochs_to_target))
        if isfinite(row.epochs_to_target)
        else say("{name} not at all", name=row.initializer)
        for row in late.itertuples()
    ]
    rest = ", ".join(parts) or say("no other one is later")
    return say("The median run of {name} reaches a score of {target} in epoch {epoch}; {rest}.", rest=rest, **values)


def shortfall(runs: pd.DataFrame, settings: Mapping[str, Any], language: str = ENGLISH) -> str:
    """Say which of the planned runs give no score, or nothing if all do."""
    say = get_language(language)
    said = []
    halving = settings.get("halving", {"dropped": {}, "runs_saved": 0})
    planned = settings.get("n_planned", len(runs)) - halving["runs_saved"]
    done = {"done": say.integer(len(runs)), "planned": say.integer(planned)}
    if len(runs) < planned:
        said.append(say("Interrupted: {done} of {planned} runs had finished, and these alone are shown.", **done))
    if halving["dropped"]:
        said.append(_left_out(halving, settings["n_planned"], say))
    for status, sentence in _WITHOUT_SCORE.items():
        ill = runs.loc[runs["status"] == status, "initializer"].astype(str)
        if len(ill):
            names = say.all_of(ill.unique().tolist())
            said.append(say(sentence, count=say.integer(len(ill)), total=done["done"], names=names))
    return " ".join(said)


def _left_out(halving: Mapping[str, Any], planned: int, say: Language) -> str:
    names = [
        say.plural("{name} after {n} round", "{name} after {n} rounds", number, name=name)
        for name, number in halving["dropped"].items()
    ]
    saved = halving["runs_saved"]
    return say(
        "Left out early, as clearly behind: {names}. That saved {saved} of {planned} runs ({share}).",
        names=say.all_of(names), saved=say.integer(saved), planned=say.integer(planned),
        share=say.percent(saved / planned),
    )  # fmt: skip
