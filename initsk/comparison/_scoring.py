"""Scorers, as scikit-learn names them."""

from typing import Any

from sklearn.metrics import check_scoring

from initsk.comparison._candidates import without_addresses
from initsk.comparison._run import Scorer
from initsk.exceptions import InvalidParameterError


def make_scorer(estimator: Any, scoring: Any) -> Scorer:
    """Return a function of a fitted estimator, X and y that gives scores by name, the ranking one first.

    Raises
    ------
    InvalidParameterError
        If scikit-learn does not know the scorer, or the estimator has no score of its own.
    """
    several = isinstance(scoring, list | tuple | set | dict)
    if several and not scoring:
        raise InvalidParameterError("scoring must be at least one scorer")
    try:
        scorer = check_scoring(estimator, scoring)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"scoring={scoring!r} is not allowed ({without_addresses(str(error))})") from error
    return scorer if several else Single(scorer)


class Single:
    """A single scorer in the form of several."""

    def __init__(self, scorer: Any) -> None:
        self.scorer = scorer

    def __call__(self, estimator: Any, X: Any, y: Any) -> dict[str, float]:
        """Return the one score."""
        return {"score": self.scorer(estimator, X, y)}
