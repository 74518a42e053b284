"""The baseline of a comparison: the scores of a model that does not look at the features."""

import warnings
from collections.abc import Callable, Mapping
from math import isfinite, nan
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor

#: Returns the scores of a fitted estimator by name; the first one ranks. A text is the reason why there is no score.
Scorer = Callable[[Any, Any, Any], Mapping[str, float | str]]


def baseline_model(estimator: Any) -> DummyClassifier | DummyRegressor | None:
    """Return the model that does not look at the features, or None if there is none for the estimator."""
    if is_classifier(estimator):
        return DummyClassifier(strategy="prior")
    return DummyRegressor() if is_regressor(estimator) else None


def baseline_scores(estimator: Any, scorer: Scorer, y: Any, y_val: Any) -> dict[str, float]:
    """Return the validation scores of a model that knows only the training targets.

    A classifier's baseline predicts the most frequent class, and the class shares as probabilities; that of a
    regressor predicts the mean. There is none, and the dict is empty, for other estimators, and for a scorer that
    cannot score such a model. A score that is not finite is NaN.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> def accuracy(model, X, y):
    ...     return {"score": model.score(X, y)}
    >>> baseline_scores(LogisticRegression(), accuracy, np.array([0, 1, 1]), np.array([0, 1, 1, 1]))
    {'score': 0.75}
    """
    model = baseline_model(estimator)
    if model is None:
        return {}
    y, y_val = np.asarray(y), np.asarray(y_val)
    # The features may be anything that a net takes; the model does not look at them.
    X, X_val = np.zeros((len(y), 1)), np.zeros((len(y_val), 1))
    try:
        with warnings.catch_warnings(action="ignore"):
            scores = scorer(model.fit(X, y), X_val, y_val)
            found = {name: nan if isinstance(score, str) else float(score) for name, score in scores.items()}
    except Exception:  # a scorer is a function of the user, and may need what only the user's model has
        return {}
    return {name: score if isfinite(score) else nan for name, score in found.items()}
