"""Sentences about the runs of a comparison that are missing, or gave no score."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from initsk.comparison.results import missing_runs
from initsk.language import message, plural, plural_message, translate as _
from initsk.report._compared import compared_in
from initsk.text import brief

_WITHOUT_SCORE = {
    "failed": plural_message(
        "{name} failed in {count} of {n} run: {reason}.", "{name} failed in {count} of {n} runs: {reason}."
    ),
    "diverged": plural_message(
        "{name} diverged in {count} of {n} run: {reason}.", "{name} diverged in {count} of {n} runs: {reason}."
    ),
}
# So many have their reason in the answer; the table of the report has all.
_MAX_REASONS = 3
_MAX_REASON = 300


def describe_unfinished(runs: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Return how many of the planned runs have finished, or an empty text if all have.

    Parameters
    ----------
    runs : DataFrame
        `ComparisonResult.runs`.
    settings : mapping
        `ComparisonResult.settings`.
    """
    missing = missing_runs(runs, settings)
    text = message("Not complete: this report shows the {done} of {planned} runs that have finished.")
    return _(text, done=len(runs), planned=len(runs) + missing) if missing else ""


def describe_missing_runs(runs: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Return which of the planned runs gave no score, or an empty text if all did.

    Parameters
    ----------
    runs : DataFrame
        `ComparisonResult.runs`.
    settings : mapping
        `ComparisonResult.settings`.
    """
    sentences = [describe_unfinished(runs, settings)]
    racing = settings.get("racing", {"stopped": {}, "runs_saved": 0})
    if racing["stopped"]:
        names = [
            plural("{name} after {n} round", "{name} after {n} rounds", number, name=name)
            for name, number in racing["stopped"].items()
        ]
        words = compared_in(settings).words()
        saved, planned = racing["runs_saved"], settings["n_planned"]
        text = message(
            "Racing stopped {several} that were significantly worse: {names}. This saved {saved} of {planned} runs"
            " ({share:.0%})."
        )
        sentences.append(_(text, names=names, saved=saved, planned=planned, share=saved / planned, **words))
    sentences.append(describe_failures(runs, settings))
    return " ".join(filter(None, sentences))


def describe_failures(runs: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Return what gave no score in some runs, with the first reason of each, or an empty text.

    Parameters
    ----------
    runs : DataFrame
        `ComparisonResult.runs`.
    settings : mapping
        `ComparisonResult.settings`.
    """
    runs, sentences = runs.assign(name=runs["initializer"].astype(str)), []
    without = runs[runs["status"] != "ok"]
    for (status, name), own in without.groupby(["status", "name"], sort=False, observed=True):
        reason = brief(str(own["reason"].iloc[0]), _MAX_REASON).rstrip(".")
        n = int((runs["name"] == name).sum())
        sentences.append(plural(*_WITHOUT_SCORE[str(status)], n, name=name, count=len(own), reason=reason))
    more = len(sentences) - _MAX_REASONS
    if more > 0:
        text = plural("{n} more has runs without a score.", "{n} more have runs without a score.", more)
        sentences[_MAX_REASONS:] = [text]
    if len(runs) and len(without) == len(runs):
        text = message("To see the whole error, fit the estimator with one {one}; remove the cause and compare again.")
        if (runs["status"] == "diverged").all():
            text = message("Try a lower learning rate, inputs of a smaller scale, or weights of a smaller variance.")
        sentences.append(_(text, **compared_in(settings).words()))
    return " ".join(sentences)
