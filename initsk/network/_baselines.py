"""Losses whose best constant prediction is known by a formula."""

from math import nan
from typing import Any

import numpy as np
from torch import nn
from torch.nn import functional

from initsk.network._outputs import IGNORED_TARGET
from initsk.network._targets import OF_CLASSES, OF_RATES

_FUNCTIONS = (
    (functional.cross_entropy, nn.CrossEntropyLoss()), (functional.nll_loss, nn.NLLLoss()),
    (functional.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss()),
    (functional.binary_cross_entropy, nn.BCELoss()), (functional.mse_loss, nn.MSELoss()),
)  # fmt: skip
_DEFAULTS = {"weight": None, "pos_weight": None, "label_smoothing": 0.0, "reduction": "mean"}


def known_baseline(criterion: Any, values: np.ndarray) -> float:
    """Return the loss of the best constant prediction, or NaN where there is no formula.

    It is the entropy of the classes, the mean entropy of the labels, or the variance of the numbers.

    Parameters
    ----------
    criterion : callable or None
        A loss of torch with its default settings, or its function; None takes the loss that suits the targets.
    values : ndarray
        Targets: floats are numbers, booleans are labels, and integers are classes.

    Examples
    --------
    >>> round(known_baseline(None, np.array([0, 1, 0, 1])), 4)
    0.6931
    >>> known_baseline(nn.MSELoss(), np.array([1.0, 3.0])), known_baseline(nn.L1Loss(), np.array([1.0, 3.0]))
    (1.0, nan)
    """
    criterion = next((loss for function, loss in _FUNCTIONS if function is criterion), criterion)
    if criterion is not None and not _is_plain(criterion):
        return nan
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return nan
    if isinstance(criterion, OF_RATES) or (criterion is None and values.dtype == bool):
        rate = np.clip(values.astype(float).mean(axis=0), 1e-12, 1 - 1e-12)
        return float(-(rate * np.log(rate) + (1 - rate) * np.log1p(-rate)).mean())
    if values.dtype.kind == "f" and (criterion is None or isinstance(criterion, nn.MSELoss)):
        return float(values.astype(float).var(axis=0).mean())
    if values.dtype.kind in "iu" and (criterion is None or isinstance(criterion, OF_CLASSES)):
        return entropy(values)
    return nan


def entropy(labels: np.ndarray) -> float:
    """Return the entropy of labels, in nats, without those that torch's losses ignore.

    Examples
    --------
    >>> round(entropy(np.array([0, 1, 0, 1, -100])), 4)
    0.6931
    """
    _, counts = np.unique(labels[labels != IGNORED_TARGET], return_counts=True)
    shares = counts / max(counts.sum(), 1)
    return float(-(shares * np.log(shares)).sum())


def _is_plain(criterion: Any) -> bool:
    """Return whether a loss of torch has its default settings."""
    plain = isinstance(criterion, (*OF_CLASSES, *OF_RATES, nn.MSELoss))
    return plain and all(_is_default(getattr(criterion, name, value), value) for name, value in _DEFAULTS.items())


def _is_default(given: Any, default: Any) -> bool:
    return given is None if default is None else given == default
