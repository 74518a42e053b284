"""Tests of initializers against the baseline, a model that does not look at the features."""

import pandas as pd

from initsk.comparison.results._inference import mean_interval
from initsk.comparison.results._rounding import rounding_of, without_rounding
from initsk.comparison.results._statistics import has_several_splits, tuned_runs


def against_baseline(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each initializer with a score: the mean paired difference to the baseline, and its interval.

    The differences are paired by split or, with a single split, by repeat. Without a baseline there are no rows.

    Parameters
    ----------
    runs : DataFrame
        `ComparisonResult.runs`.

    Returns
    -------
    DataFrame
        initializer, difference, low, high (95 % interval; NaN for differences that do not vary), beats: "yes" if the
        interval lies above zero (or, without an interval, the difference), "no" if the difference is not above zero,
        and otherwise "undecided".

    Examples
    --------
    >>> runs = pd.DataFrame({"initializer": ["a", "a"], "repeat": [0, 1], "fold": 0, "split": 0, "val_ratio": 0.3})
    >>> against_baseline(runs.assign(score=[0.4, 0.5], baseline_score=0.5))["beats"].tolist()
    ['no']
    """
    several = has_several_splits(runs)
    ratio = float(runs["val_ratio"].mean()) if several else 0.0
    rows, rounding = [], rounding_of(runs["score"].to_numpy(float))
    shown = tuned_runs(runs).dropna(subset=["score", "baseline_score"])
    for label, own in shown.groupby("initializer", observed=True, sort=False):
        scores = own[["score", "baseline_score"]].groupby(own["split" if several else "repeat"]).mean().to_numpy()
        differences = without_rounding(scores[:, 0] - scores[:, 1], scores, rounding)
        mean = float(differences.mean())
        low, high = mean_interval(differences, ratio)
        beats = "no" if mean <= 0 else "undecided" if low <= 0 else "yes"
        rows.append({"initializer": str(label), "difference": mean, "low": low, "high": high, "beats": beats})
    return pd.DataFrame(rows, columns=["initializer", "difference", "low", "high", "beats"])
