"""The lowest and the highest value that a score can have."""

from collections.abc import Mapping
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import get_scorer, get_scorer_names

#: The lowest and the highest value; None where there is none. JSON has no infinite numbers.
ScoreBounds = list[float | None]

_UNIT: ScoreBounds = [0.0, 1.0]
_SIGNED: ScoreBounds = [-1.0, 1.0]
_AT_MOST_ONE: ScoreBounds = [None, 1.0]
_AT_LEAST_ZERO: ScoreBounds = [0.0, None]
# scikit-learn's metrics, before a scorer changes the sign of a loss.
_METRICS = {
    **dict.fromkeys(
        (
            "accuracy_score", "average_precision_score", "balanced_accuracy_score", "completeness_score", "f1_score",
            "fbeta_score", "fowlkes_mallows_score", "hamming_loss", "homogeneity_score", "jaccard_score", "ndcg_score",
            "normalized_mutual_info_score", "precision_score", "rand_score", "recall_score", "roc_auc_score",
            "top_k_accuracy_score", "v_measure_score", "zero_one_loss", "label_ranking_average_precision_score",
        ),
        _UNIT,
    ),
    **dict.fromkeys(("matthews_corrcoef", "cohen_kappa_score"), _SIGNED),
    **dict.fromkeys(
        (
            "r2_score", "explained_variance_score", "d2_absolute_error_score", "d2_pinball_score", "d2_tweedie_score",
            "d2_log_loss_score", "d2_brier_score", "adjusted_rand_score", "adjusted_mutual_info_score",
        ),
        _AT_MOST_ONE,
    ),
    **dict.fromkeys(
        (
            "brier_score_loss", "coverage_error", "label_ranking_loss", "log_loss", "max_error",
            "mean_absolute_error", "mean_absolute_percentage_error", "mean_gamma_deviance", "mean_pinball_loss",
            "mean_poisson_deviance", "mean_squared_error", "mean_squared_log_error", "mean_tweedie_deviance",
            "median_absolute_error", "mutual_info_score", "root_mean_squared_error",
            "root_mean_squared_log_error",
        ),
        _AT_LEAST_ZERO,
    ),
}  # fmt: skip
# With these options, a metric has another range: counts in place of shares, and a correction for chance.
_OTHER_RANGE = {"normalize": False, "adjusted": True}


def bounds_of_scorer(scorer: Any, estimator: Any) -> ScoreBounds:
    """Return the lowest and the highest value of a scorer, None where there is none or it is not known.

    Known are scorers that call a metric of scikit-learn, and the ``score`` of classifiers (accuracy) and of regressors
    (R2), which the scorer is if it has no metric and is a method of the estimator.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.metrics import get_scorer
    >>> [bounds_of_scorer(get_scorer(name), Ridge()) for name in ("f1", "r2", "neg_mean_squared_error", "neg_log_loss")]
    [[0.0, 1.0], [None, 1.0], [None, 0.0], [None, 0.0]]
    """
    if type(scorer).__name__ == "_PassthroughScorer":
        return list(_UNIT if is_classifier(estimator) else _AT_MOST_ONE if is_regressor(estimator) else [None, None])
    try:
        metric, sign, options = scorer._score_func, scorer._sign, scorer._kwargs
    except AttributeError:  # a function, or a scorer of another library
        return [None, None]
    if not getattr(metric, "__module__", "").startswith("sklearn.metrics"):
        return [None, None]
    if any(options.get(name, not value) is value for name, value in _OTHER_RANGE.items()):
        return [None, None]
    low, high = _METRICS.get(metric.__name__, [None, None])
    if sign < 0:
        low, high = (None if high is None else 0.0 - high), (None if low is None else 0.0 - low)
    return [low, high]


def bounds_of_name(name: str) -> ScoreBounds:
    """Return the lowest and the highest value of the scorer of scikit-learn with this name; None for other names.

    Examples
    --------
    >>> bounds_of_name("accuracy"), bounds_of_name("neg_mean_squared_error"), bounds_of_name("score")
    ([0.0, 1.0], [None, 0.0], [None, None])
    """
    return bounds_of_scorer(get_scorer(name), None) if name in get_scorer_names() else [None, None]


def score_bounds(scorers: Mapping[str, Any], estimator: Any) -> dict[str, ScoreBounds]:
    """Return the bounds of scorers by the columns of the runs: of the first one, and of each if there are several."""
    return bounds_by_column({name: bounds_of_scorer(scorer, estimator) for name, scorer in scorers.items()})


def bounds_by_column(bounds: Mapping[str, ScoreBounds]) -> dict[str, ScoreBounds]:
    """Return the bounds of scores by the columns of the runs: of the first one, and of each if there are several."""
    found = {f"score_{name}": each for name, each in bounds.items()}
    return {"score": next(iter(found.values()))} | (found if len(found) > 1 else {})
