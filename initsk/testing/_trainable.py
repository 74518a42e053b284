"""A test of a network: it fails unless the network will probably train."""

from typing import Any

from initsk.diagnosis import Diagnosis, diagnose
from initsk.report import answer_of_rates, describe_findings
from initsk.utils.validation import check_parameters, real

#: Seconds for the diagnosis, so that a slow network does not block a suite of tests.
TIME_LIMIT = 60.0


def assert_trainable(model: Any, X: Any, y: Any = None, *, min_score: float = 0.5, **options: Any) -> Diagnosis:
    """Raise AssertionError unless a network will probably train; return its diagnosis.

    The message has the score, the findings with advice, and the learning rates at which the network would train.

    Parameters
    ----------
    model, X, y
        As in `initsk.diagnose`.
    min_score : float, default=0.5
        The smallest score that passes, from 0 to 1.
    **options
        Other options of `initsk.diagnose`: ``optimizer``, ``lr``, ``criterion``, ``budget``, and so on. The
        ``time_limit``, which holds for the message too, is 60 seconds if none is given.

    Returns
    -------
    Diagnosis

    Raises
    ------
    AssertionError
        If the score is below `min_score`.
    InvalidParameterError
        If a parameter is not allowed.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from initsk import MLPClassifier
    >>> from initsk.testing import assert_trainable
    >>> X, y = load_digits(return_X_y=True)
    >>> assert_trainable(MLPClassifier((32,), random_state=0), X / 16, y).will_train
    True
    """
    check_parameters("assert_trainable", {"min_score": min_score}, {"min_score": real(minimum=0, maximum=1)})
    diagnosis = diagnose(model, X, y, **{"time_limit": TIME_LIMIT} | options)
    if diagnosis.score < min_score:
        raise AssertionError(_message(diagnosis, min_score))
    return diagnosis


def _message(diagnosis: Diagnosis, min_score: float) -> str:
    lines = [f"score {diagnosis.score:.2f} is below {min_score:g}: {diagnosis.answer()}"]
    for finding in describe_findings(diagnosis, grouped=True).itertuples():
        lines.append(f"- {finding.kind}: {finding.evidence} Advice: {finding.advice}.")
    if not (diagnosis.trial.empty or diagnosis.is_trained):
        lines.append(answer_of_rates(diagnosis))
    return "\n".join(lines)
