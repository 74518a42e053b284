"""What a comparison varies: an estimator, the parameter in it, its seeds, and what of it can be watched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import skorch
from sklearn.base import clone

from initsk.estimators import MLPClassifier, MLPRegressor, with_initializer
from initsk.exceptions import InvalidParameterError
from initsk.utils.validation import unknown_name

_MLPS = (MLPClassifier, MLPRegressor)


@dataclass(frozen=True)
class Subject:
    """An estimator and the name of the parameter that is compared in it."""

    estimator: Any
    parameter: str

    @classmethod
    def of(cls, estimator: Any, parameter: str | None = None) -> "Subject":
        """Check the estimator, and find the parameter where its name is not given.

        Raises
        ------
        InvalidParameterError
            If it is no estimator, has a wrong parameter, or which one is to be compared is not clear.
        """
        if isinstance(estimator, type) or not (hasattr(estimator, "get_params") and hasattr(estimator, "fit")):
            raise InvalidParameterError(
                f"estimator={estimator!r} is not allowed (an estimator of scikit-learn's kind, or a skorch net)"
            )
        last = last_step(estimator)
        if isinstance(last, _MLPS):
            last.check_parameters()
        names = [name for name in _adopted(clone(estimator)).get_params() if not name.endswith("_")]
        if parameter is None:
            return cls(estimator, _only_initializer(names, estimator))
        if parameter not in names and not parameter.startswith(tuple(f"{name}__" for name in names)):
            raise InvalidParameterError(unknown_name("parameter", parameter, names))
        return cls(estimator, parameter)

    @property
    def is_of_initializers(self) -> bool:
        """Whether the values of the parameter are initializers."""
        return names_initializer(self.parameter)

    @property
    def types_of_matrix(self) -> list[type] | None:
        """Types of the values in X, where it goes to one of the package's perceptrons as it is; otherwise None."""
        if not isinstance(self.estimator, _MLPS):
            return None
        return [np.float32] if self.estimator.input_scale is None else [np.float32, np.uint8]

    def build(self, params: Mapping[str, Any], seed: int, n_threads: int) -> Any:
        """Return a clone with these parameters, all its random states seeded and its threads set."""
        model = _adopted(clone(self.estimator))
        fixed = {"random_state": seed, "n_threads": n_threads}
        model.set_params(**{name: clone(value, safe=False) for name, value in params.items()} | _found(model, fixed))
        if any(hasattr(value, "fit") for value in params.values()):
            # An estimator among the values brings random states of its own.
            model.set_params(**_found(model, fixed))
        return model


def names_initializer(parameter: str) -> bool:
    """Say whether a parameter, at any depth, takes initializers.

    Examples
    --------
    >>> names_initializer("mlp__output_initializer"), names_initializer("initializer__std")
    (True, False)
    """
    return parameter.rpartition("__")[2].endswith("initializer")


def last_step(model: Any) -> Any:
    """Return the last step of a pipeline; whatever else it is, `model` itself."""
    return last_step(model.steps[-1][1]) if hasattr(model, "steps") else model


def can_be_recorded(model: Any) -> bool:
    """Say whether an estimator trains by skorch's loop and takes callbacks."""
    return isinstance(model, (*_MLPS, skorch.NeuralNet)) and model.callbacks != "disable"


def _found(model: Any, fixed: dict[str, int]) -> dict[str, int]:
    """Return the values for all parameters, at any depth, whose last name is one of these."""
    last_names = {name: name.rpartition("__")[2] for name in model.get_params()}
    return {name: fixed[last] for name, last in last_names.items() if last in fixed}


def _adopted(model: Any) -> Any:
    """Give a skorch net, also at the end of a pipeline, an initializer and a random state."""
    if isinstance(model, skorch.NeuralNet):
        return with_initializer(model)
    if hasattr(model, "steps") and isinstance(model.steps[-1][1], skorch.NeuralNet):
        name, net = model.steps[-1]
        return model.set_params(steps=[*model.steps[:-1], (name, with_initializer(net))])
    return model


def _only_initializer(names: list[str], estimator: Any) -> str:
    found = [name for name in names if name.rpartition("__")[2] == "initializer"]
    depths = [name.count("__") for name in found]
    least = [name for name, depth in zip(found, depths, strict=True) if depth == min(depths)]
    if len(least) == 1:
        return least[0]
    which = f"several: {', '.join(least)}" if least else f"no parameter of {type(estimator).__name__} is"
    raise InvalidParameterError(f"which parameter is the initializer ({which})? Name what to compare with parameter=")
