"""The parameters of an estimator as text, defaults included."""

from typing import Any

import skorch

from initsk.comparison.design._candidates import shown
from initsk.comparison.design._model_builder import last_step

# Set for every run, or without an effect on the numbers.
_LEFT_OUT = ("random_state", "n_threads", "verbose", "callbacks")
# Of the parameters of a skorch net, those that describe the training; its parts have prefixes.
_OF_NETS = (
    "module", "criterion", "optimizer", "lr", "max_epochs", "batch_size", "train_split", "device", "initializer",
)  # fmt: skip
_PARTS = ("module__", "criterion__", "optimizer__", "iterator_train__")
_MAX_LENGTH = 200


def describe_parameters(estimator: Any, varied: list[str]) -> list[list[str]]:
    """Return the steps of a pipeline, and each parameter of the estimator at its end, with its value.

    Parameters
    ----------
    estimator : estimator
    varied : list of str
        Names of the parameters that differ from run to run, which are left out.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> [row for row in describe_parameters(Ridge(), ["fit_intercept"]) if row[0] in ("alpha", "fit_intercept")]
    [['alpha', '1.0']]
    """
    rows = []
    if hasattr(estimator, "steps"):
        rows.append(["steps", ", ".join(f"{name}: {type(step).__name__}" for name, step in estimator.steps)])
    last = last_step(estimator)
    others = {*_LEFT_OUT, *(name.rpartition("__")[2] for name in varied)}
    for name, value in sorted(last.get_params(deep=False).items(), key=lambda item: _place(item[0])):
        known = not isinstance(last, skorch.NeuralNet) or name in _OF_NETS or name.startswith(_PARTS)
        if known and name not in others:
            text = str(shown(value))
            rows.append([name, text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 3]}..."])
    return rows


def _place(name: str) -> int:
    """Return the place of a parameter of a net; others keep the order in which they come."""
    first = name.partition("__")[0]
    return _OF_NETS.index(first) if first in _OF_NETS else len(_OF_NETS)
