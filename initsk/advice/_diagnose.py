"""Whether a network is fit to be trained, before it is."""

from typing import Any

import pandas as pd
from sklearn.utils import _safe_indexing

from initsk.advice._recommend import Recommendation, recommend_initializer
from initsk.exceptions import InitskError
from initsk.inspection import ActivationSummary, inspect_activations, verdict_sentence
from initsk.utils._reported import Reported
from initsk.utils._validation import check_parameters, integer

_MOST_SAMPLES = 1024
# Networks of which the mean is shifted alone do train.
_MILD = ("shifted mean", "healthy")


class Diagnosis(Reported):
    """What is wrong with a network before it is trained; made by `diagnose`.

    Parameters
    ----------
    summary : ActivationSummary
        One batch forward and backward.
    recommendation : Recommendation or None
        What would suit the network; None where it cannot be read.

    Attributes
    ----------
    findings : DataFrame
        As `ActivationSummary.verdicts`: a row per layer and verdict, with value, threshold, evidence and advice.
    will_train : bool
        Whether nothing was found that keeps networks from training.
    exit_code : int
        0 if so, otherwise 1, as the shell wants it.
    """

    def __init__(self, summary: ActivationSummary, recommendation: Recommendation | None) -> None:
        self.summary = summary
        self.recommendation = recommendation

    def __repr__(self) -> str:
        return f"Diagnosis(will_train={self.will_train}; see findings)"

    def __str__(self) -> str:
        return verdict_sentence(self.findings)

    @property
    def findings(self) -> pd.DataFrame:
        """What is wrong, the gravest first."""
        return self.summary.verdicts()

    @property
    def will_train(self) -> bool:
        """Whether nothing was found that keeps networks from training."""
        return bool(self.findings["verdict"].isin(_MILD).all())

    @property
    def exit_code(self) -> int:
        """0 if the network is fit to be trained, otherwise 1."""
        return 0 if self.will_train else 1


def diagnose(model: Any, X: Any, y: Any, *, max_samples: int = _MOST_SAMPLES) -> Diagnosis:
    """Send one batch forward and backward, and say whether the network is fit to be trained.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        As in `inspect_activations`; of an unfitted estimator the initial weights are seen.
    X, y : array-like
        Samples and targets, of which the first are taken.
    max_samples : int, default=1024
        How many.

    Returns
    -------
    Diagnosis

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, or X is not made of numbers.
    ModuleError
        If the model carries no module that can be seen into.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from initsk import MLPClassifier, diagnose
    >>> X, y = load_digits(return_X_y=True)
    >>> diagnosis = diagnose(MLPClassifier((32, 32), initializer="zeros"), X / 16, y)
    >>> diagnosis.will_train, diagnosis.findings["verdict"].unique().tolist()
    (False, ['symmetric', 'dead'])
    """
    check_parameters("diagnose", {"max_samples": max_samples}, {"max_samples": integer(1)})
    rows = slice(0, max_samples)
    X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
    summary = inspect_activations(model, X, y, gradients=True, weights=True, batch_size=max_samples)
    try:
        recommendation = recommend_initializer(model, X, y)
    except InitskError:
        recommendation = None
    return Diagnosis(summary, recommendation)
