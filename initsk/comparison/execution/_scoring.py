"""The scores of a fitted model: one or several scorers, of which one that fails leaves the others alone."""

import warnings
from collections.abc import Mapping
from functools import partial
from math import nan
from typing import Any

import pandas as pd
from sklearn.metrics import check_scoring

from initsk.comparison.design._baseline import Scorer
from initsk.comparison.design._candidates import without_addresses
from initsk.comparison.results._records import score_names
from initsk.exceptions import InvalidParameterError
from initsk.text import brief
from initsk.utils.words import counted

_SEVERAL = (list, tuple, set, dict)


def make_scorer(estimator: Any, scoring: Any) -> Any:
    """Return scikit-learn's scorer; of several, one that fails leaves the others alone.

    Raises
    ------
    InvalidParameterError
        If `scoring` is not as in scikit-learn.
    """
    if isinstance(scoring, _SEVERAL) and not scoring:
        raise InvalidParameterError("scoring is empty (allowed: at least one scorer)")
    try:
        return check_scoring(estimator, scoring, raise_exc=False)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"scoring={scoring!r} is not allowed ({without_addresses(str(error))})") from error


def single_scorers(estimator: Any, scoring: Any) -> dict[str, Any]:
    """Return each of the scorers by name."""
    if not isinstance(scoring, _SEVERAL):
        scoring = {"score": scoring}
    named = scoring if isinstance(scoring, dict) else {name: name for name in scoring}
    return {name: check_scoring(estimator, each) for name, each in named.items()}


def scores_by_name(scorer: Any) -> Scorer:
    """Return a function that returns scores by name, also of a single scorer.

    The score of one of several scorers that fails is the reason, as text. A single scorer that fails raises.
    """
    return partial(_scores, scorer)


def _scores(scorer: Any, estimator: Any, X: Any, y: Any) -> dict[str, float | str]:
    found = scorer(estimator, X, y)
    if not isinstance(found, Mapping):
        return {"score": float(found)}
    # Of a scorer that failed, scikit-learn returns the traceback; its last line has the reason.
    return {
        name: score.strip().splitlines()[-1] if isinstance(score, str) else float(score)
        for name, score in found.items()
    }


def numbers_of(scores: Mapping[str, float | str]) -> dict[str, float]:
    """Return the scores, with NaN in the place of a reason."""
    return {name: nan if isinstance(score, str) else score for name, score in scores.items()}


def reasons_of(scores: Mapping[str, float | str]) -> dict[str, str]:
    """Return why scorers failed, by their names."""
    return {name: score for name, score in scores.items() if isinstance(score, str)}


def warn_of_missing_scores(runs: pd.DataFrame, stacklevel: int) -> None:
    """Warn of scorers that gave no score in runs that have other scores."""
    kept = runs[runs["status"] == "ok"]
    for name in score_names(runs):
        missing = kept[kept[f"score_{name}"].isna()]
        if missing.empty:
            continue
        ranks = "" if kept["score"].notna().any() else "; it ranks the initializers: put another scorer first"
        message = (
            f"the scorer {name} gave no score in {len(missing)} of"
            f" {counted(len(runs), 'run')}; reason of the first: {brief(missing['reason'].iloc[0])}; the other scores"
            f" are kept{ranks}"
        )
        warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)
