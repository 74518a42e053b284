"""The estimator of a comparison and its compared parameter, from which the model of each run is built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import skorch
import torch
from sklearn.base import clone

from initsk.estimators import OTHER_NAMES, MLPClassifier, MLPRegressor, describe_unknown, with_initializer
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Initializer
from initsk.network import describe_kind, with_next_step
from initsk.utils.precision import matrix_types
from initsk.utils.random import is_random_state
from initsk.utils.validation import unknown_name

_MLPS = (MLPClassifier, MLPRegressor)
# Last names of the parameters that are set for every run.
_FIXED = ("random_state", "n_threads")


@dataclass(frozen=True)
class ModelBuilder:
    """An estimator and the name of its parameter that is compared."""

    estimator: Any
    parameter: str

    @classmethod
    def of(cls, estimator: Any, parameter: str | None = None) -> "ModelBuilder":
        """Check the estimator, and find the parameter if its name is not given.

        Raises
        ------
        InvalidParameterError
            If `estimator` is no estimator, has a parameter that is not allowed, or several parameters that may be
            meant.
        """
        if isinstance(estimator, type) or not (hasattr(estimator, "get_params") and hasattr(estimator, "fit")):
            raise InvalidParameterError(_not_an_estimator(estimator))
        last = last_step(estimator)
        if isinstance(last, _MLPS):
            last.check_parameters()
        if parameter is None:
            return cls(estimator, _only_initializer(list(_parameters(estimator)), estimator))
        if problem := _problem_of(parameter, _parameters(estimator)):
            raise InvalidParameterError(problem)
        return cls(estimator, parameter)

    @property
    def varies_initializer(self) -> bool:
        """Whether the values of the parameter are initializers."""
        return takes_initializer(self.parameter)

    def problem_of(self, name: Any) -> str | None:
        """Return why a parameter cannot vary from run to run; None if it can."""
        return _problem_of(name, _parameters(self.estimator))

    def matrix_types(self, X: Any) -> list[type] | None:
        """Return the types that X keeps where it goes straight to an MLP of this package; otherwise None."""
        return matrix_types(X, self.estimator.input_scale) if isinstance(self.estimator, _MLPS) else None

    def build(self, params: Mapping[str, Any], seed: int, n_threads: int) -> Any:
        """Return a clone with these parameters, all its random states seeded and its threads set."""
        model = _with_initializer(clone(self.estimator))
        fixed = dict(zip(_FIXED, (seed, n_threads), strict=True))
        model.set_params(**{name: clone(value, safe=False) for name, value in params.items()} | _matching(model, fixed))
        if any(hasattr(value, "fit") for value in params.values()):
            # An estimator among the values brings random states of its own.
            model.set_params(**_matching(model, fixed))
        return model


def takes_initializer(parameter: str) -> bool:
    """Return whether a parameter, at any depth, takes initializers.

    Examples
    --------
    >>> takes_initializer("mlp__output_initializer"), takes_initializer("initializer__std")
    (True, False)
    """
    return parameter.rpartition("__")[2].endswith("initializer")


def last_step(model: Any) -> Any:
    """Return the last step of a pipeline, and any other model itself."""
    return last_step(model.steps[-1][1]) if hasattr(model, "steps") else model


def inputs_of_last_step(model: Any, X: Any) -> Any:
    """Return X as the last step of a fitted pipeline takes it, and X itself for any other model."""
    if not hasattr(model, "steps"):
        return X
    before = model[:-1]
    return inputs_of_last_step(model.steps[-1][1], before.transform(X) if len(before) else X)


def takes_callbacks(model: Any) -> bool:
    """Return whether an estimator trains in skorch's loop and takes callbacks."""
    return isinstance(model, (*_MLPS, skorch.NeuralNet)) and model.callbacks != "disable"


def _parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters that may vary, at any depth, with their values."""
    found = _with_initializer(clone(estimator)).get_params()
    return {name: value for name, value in found.items() if not name.endswith("_")}


def _problem_of(name: Any, parameters: Mapping[str, Any]) -> str | None:
    """Return why a parameter cannot vary, among those of the estimator; None if it can."""
    if not isinstance(name, str):
        return unknown_name("parameter", name, parameters)
    if name.rpartition("__")[2] in _FIXED:
        seeds = "; n_repeats= is the number of seeds" if is_random_state(name) else ""
        return f"random_state= and n_threads= already set {name} for every run{seeds}"
    if name in parameters:
        return None
    holder = max((known for known in parameters if name.startswith(f"{known}__")), key=len, default=None)
    if holder is None and name in OTHER_NAMES and "max_epochs" in parameters:
        # A perceptron has the parameter of another library under its own name.
        return f"unknown parameter {describe_unknown([name], list(parameters))}"
    if holder is None:
        return unknown_name("parameter", name, parameters)
    value = parameters[holder]
    is_number = isinstance(value, int | float)
    return f"unknown parameter {name!r}: {holder} is the number {value!r}, without parameters" if is_number else None


def _matching(model: Any, fixed: dict[str, int]) -> dict[str, int]:
    """Return the values of all parameters, at any depth, whose last name is a key of `fixed`."""
    last_names = {name: name.rpartition("__")[2] for name in model.get_params()}
    return {name: fixed[last] for name, last in last_names.items() if last in fixed}


def _with_initializer(model: Any) -> Any:
    """Give a skorch net, also at the end of a pipeline, an initializer and a random state."""
    if hasattr(model, "steps"):
        name, last = model.steps[-1]
        return model.set_params(**{name: _with_initializer(last)})
    return with_initializer(model) if isinstance(model, skorch.NeuralNet) else model


def _only_initializer(names: list[str], estimator: Any) -> str:
    """Return the least deeply nested parameter that is called ``initializer``."""
    found = [name for name in names if name.rpartition("__")[2] == "initializer"]
    depth = min((name.count("__") for name in found), default=0)
    outermost = [name for name in found if name.count("__") == depth]
    if len(outermost) == 1:
        return outermost[0]
    which = f"several: {', '.join(outermost)}" if outermost else f"no parameter of {type(estimator).__name__} is"
    message = f"which parameter is the initializer ({which})? Name what to compare with parameter="
    raise InvalidParameterError(message if outermost else with_next_step(message, last_step(estimator)))


def _not_an_estimator(given: Any) -> str:
    """Return that an object is no estimator, and how to get one from it."""
    message = (
        f"estimator: {describe_kind(given)} is not allowed (allowed: an estimator as in scikit-learn, a skorch net)"
    )
    wrap = "NeuralNetClassifier(module, criterion=torch.nn.CrossEntropyLoss) or NeuralNetRegressor(module)"
    if isinstance(given, torch.nn.Module) or (isinstance(given, type) and issubclass(given, torch.nn.Module)):
        return f"{message}; make an estimator of the module: {wrap}, both from initsk"
    if isinstance(given, Initializer):
        return f"{message}; initializers come in the list initializers="
    return with_next_step(message, given)
