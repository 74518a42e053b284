"""The scores of a fitted model: one or several scorers, of which one that fails leaves the others alone."""

import difflib
import warnings
from collections.abc import Mapping
from functools import partial
from math import nan
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_regressor
from sklearn.metrics import check_scoring, get_scorer_names

from initsk.comparison.design._baseline import Scorer, baseline_model
from initsk.comparison.design._candidates import storable
from initsk.comparison.results._records import score_names
from initsk.exceptions import InvalidParameterError
from initsk.text import brief
from initsk.utils.words import counted

_SEVERAL = (list, tuple, set, dict)
# The most usual of scikit-learn's scorers, and what short names stand for.
_OF_CLASSES = ("accuracy", "balanced_accuracy", "f1_macro", "neg_log_loss", "roc_auc")
_OF_NUMBERS = ("r2", "neg_mean_absolute_error", "neg_root_mean_squared_error")
_SHORT = {
    "acc": "accuracy", "auc": "roc_auc", "mse": "neg_mean_squared_error", "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error", "logloss": "neg_log_loss", "log_loss": "neg_log_loss",
}  # fmt: skip


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
        reason = _unknown_scorer(estimator, scoring) or storable(str(error))
        raise InvalidParameterError(f"scoring={scoring!r} is not allowed ({reason})") from error


def _unknown_scorer(estimator: Any, scoring: Any) -> str:
    """Return the message about the first name that is no scorer of scikit-learn, or ""."""
    given = scoring.values() if isinstance(scoring, dict) else scoring if isinstance(scoring, _SEVERAL) else [scoring]
    known = get_scorer_names()
    name = next((each for each in given if isinstance(each, str) and each not in known), None)
    if name is None:
        return ""
    usual = _OF_NUMBERS if is_regressor(estimator) else _OF_CLASSES
    near = difflib.get_close_matches(name.lower(), known, n=1)
    meant = _SHORT.get(name.lower()) or next(iter(near), None)
    hint = f"; did you mean {meant!r}?" if meant else "."
    return (
        f"unknown scorer {name!r}{hint} Allowed: {', '.join(map(repr, usual))}, the other names of"
        " sklearn.metrics.get_scorer_names(), or a function of estimator, X and y"
    )


def single_scorers(estimator: Any, scoring: Any) -> dict[str, Any]:
    """Return each of the scorers by name."""
    return {name: check_scoring(estimator, each) for name, each in _named_scorers(scoring).items()}


def _named_scorers(scoring: Any) -> dict[str, Any]:
    if not isinstance(scoring, _SEVERAL):
        return {"score": scoring}
    return dict(scoring) if isinstance(scoring, dict) else {name: name for name in scoring}


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


def check_scorers(estimator: Any, scoring: Any, y: Any, y_val: Any, stacklevel: int) -> list[str]:
    """Warn of scikit-learn's scorers that cannot score these targets, and return their names.

    They score a model that does not look at the features. Scorers of the user may need what only the user's model has.

    Raises
    ------
    InvalidParameterError
        If no scorer is left.
    """
    model, reasons, scorers = baseline_model(estimator), {}, single_scorers(estimator, scoring)
    for name, given in _named_scorers(scoring).items():
        if model is None or y is None or not isinstance(given, str):
            continue
        if reason := _reason_of_failure(model, scorers[name], np.asarray(y), np.asarray(y_val)):
            way_out = _way_out(given, model, reason)
            reasons[name] = f"the scorer {given} cannot score these targets ({reason}){way_out}"
    if reasons and len(reasons) == len(scorers):
        raise InvalidParameterError("; ".join(reasons.values()))
    for name, reason in reasons.items():
        ranks = "; it ranks the initializers: put another scorer first" if name == next(iter(scorers)) else ""
        warnings.warn(f"{reason}; the other scores are kept{ranks}", UserWarning, stacklevel=stacklevel + 1)
    return list(reasons)


def _reason_of_failure(model: Any, scorer: Any, y: np.ndarray, y_val: np.ndarray) -> str:
    X, X_val = np.zeros((len(y), 1)), np.zeros((len(y_val), 1))
    try:
        with warnings.catch_warnings(action="ignore"):
            scorer(model.fit(X, y), X_val, y_val)
    except (TypeError, ValueError) as error:
        return brief(str(error).strip().splitlines()[0])
    return ""


def _way_out(name: str, model: Any, reason: str) -> str:
    if is_regressor(model):
        return "; for numbers, use such as r2 or neg_root_mean_squared_error"
    known = get_scorer_names()
    similar = [f"{name}{ending}" for ending in ("_macro", "_ovr") if f"{name}{ending}" in known]
    if "pos_label" in reason:
        similar.append("labels 0 and 1")
    return f"; use {' or '.join(similar) or 'accuracy or balanced_accuracy'}"


def numbers_of(scores: Mapping[str, float | str]) -> dict[str, float]:
    """Return the scores, with NaN in the place of a reason."""
    return {name: nan if isinstance(score, str) else score for name, score in scores.items()}


def reasons_of(scores: Mapping[str, float | str]) -> dict[str, str]:
    """Return why scorers failed, by their names."""
    return {name: score for name, score in scores.items() if isinstance(score, str)}


def warn_of_missing_scores(runs: pd.DataFrame, known: list[str], stacklevel: int) -> None:
    """Warn of scorers, besides the `known` ones, that gave no score in runs that have other scores."""
    kept = runs[runs["status"] == "ok"]
    for name in [name for name in score_names(runs) if name not in known]:
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
