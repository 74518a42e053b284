"""The parameters of an estimator as text, defaults included."""

from collections.abc import Iterator
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

    The parameters of an estimator inside of it follow, with names such as ``estimator__lr``.

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
    steps = [["steps", _steps(estimator)]] if hasattr(estimator, "steps") else []
    return [*steps, *_rows(last_step(estimator), "", varied)]


def _rows(estimator: Any, prefix: str, varied: list[str]) -> Iterator[list[str]]:
    """Yield name and value of each parameter, then those of the estimators inside; `prefix` is before the names."""
    is_net = isinstance(estimator, skorch.NeuralNet)
    inside = {} if is_net else {name: value for name, value in estimator.get_params().items() if _is_estimator(value)}
    for name, value in sorted(estimator.get_params(deep=False).items(), key=lambda item: _place(item[0])):
        known = not is_net or name in _OF_NETS or name.startswith(_PARTS)
        full = f"{prefix}{name}"
        if known and name not in _LEFT_OUT and not any(f"__{other}".endswith(f"__{full}") for other in varied):
            text = type(value).__name__ if name in inside else str(shown(value))
            text = _steps(estimator) if name == "steps" else text
            yield [full, text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 3]}..."]
    for name, value in inside.items():
        if "__" not in name:
            yield from _rows(value, f"{prefix}{name}__", varied)


def _steps(pipeline: Any) -> str:
    return ", ".join(f"{name}: {type(step).__name__}" for name, step in pipeline.steps)


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and hasattr(value, "fit") and not isinstance(value, type)


def _place(name: str) -> int:
    """Return the place of a parameter of a net; others keep the order in which they come."""
    first = name.partition("__")[0]
    return _OF_NETS.index(first) if first in _OF_NETS else len(_OF_NETS)
