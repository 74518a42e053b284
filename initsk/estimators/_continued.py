"""Parameters that changed since a network was built: those of its layers are refused, others take effect."""

import copy
from dataclasses import dataclass
from typing import Any

from skorch.callbacks import EarlyStopping
from skorch.utils import noop
from torch import nn

from initsk.estimators._parameters import get_optimizer, layers_of, optimizer_arguments
from initsk.initializers import INITIALIZER_PARAMS, get_initializer
from initsk.network import make_activation
from initsk.utils.validation import refuse

_LAYERS = ("hidden_layer_sizes", "activation", "normalization", "dropout", "input_scale")


@dataclass
class _Given:
    """A parameter as it was given, as text, and as a value that equals other ways to give the same."""

    value: Any
    text: str
    canonical: Any


class Settings:
    """The parameters of an estimator with which its network was built, or trained last.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        With checked parameters.

    Examples
    --------
    >>> from initsk import MLPClassifier
    >>> before, after = Settings(MLPClassifier((8,))), Settings(MLPClassifier((9,)))
    >>> before.check_same_network("MLPClassifier", after)
    Traceback (most recent call last):
    ...
    initsk.exceptions.InvalidParameterError: MLPClassifier: hidden_layer_sizes=(9,) is not allowed, since the trained
    network has (8,) (for a new network: fit with warm_start=False, or a new estimator)
    """

    def __init__(self, estimator: Any) -> None:
        parameters = estimator.get_params(deep=False)
        self.network = {
            name: _Given(parameters[name], repr(parameters[name]), _canonical(name, parameters))
            for name in (*_LAYERS, *INITIALIZER_PARAMS, "device")
        }
        self.optimizer = optimizer_of(estimator)
        names = ("early_stopping", "patience", "tol", "verbose")
        self.callbacks = [list(estimator.callbacks or []), *(parameters[name] for name in names)]

    def check_same_network(self, owner: str, new: "Settings") -> None:
        """Raise InvalidParameterError if the new settings are those of another network; the message names all."""
        changed = [name for name, held in self.network.items() if not _same(held, new.network[name])]
        refuse(
            owner,
            [
                f"{name}={new.network[name].text} is not allowed, since the trained network has"
                f" {self.network[name].text} (for a new network: fit with warm_start=False, or a new estimator)"
                for name in changed
            ],
        )

    def apply(self, net: Any, new: "Settings", estimator: Any) -> None:
        """Give a trained net the new optimizer and callbacks; those that did not change keep their state."""
        if new.optimizer != self.optimizer:
            kind, arguments = new.optimizer
            for name in [name for name in vars(net) if name.startswith("optimizer__")]:
                delattr(net, name)
            vars(net).update({"optimizer": kind, **{f"optimizer__{name}": value for name, value in arguments.items()}})
            net.initialize_optimizer()
        if new.callbacks != self.callbacks:
            vars(net).pop("callbacks__print_log", None)
            vars(net).update(callback_arguments(estimator))
            net.initialize_callbacks()


def optimizer_of(estimator: Any) -> tuple[Any, dict[str, Any]]:
    """Return the class of an estimator's optimizer, and its arguments."""
    optimizer = get_optimizer(estimator.optimizer)
    return optimizer, optimizer_arguments(optimizer, estimator.optimizer_params)


def callback_arguments(estimator: Any) -> dict[str, Any]:
    """Return the arguments of an estimator's net that determine its callbacks."""
    callbacks = list(estimator.callbacks or [])
    if estimator.early_stopping:
        stop = EarlyStopping(patience=estimator.patience, threshold=estimator.tol, load_best=True, sink=noop)
        callbacks.append(("early_stopping", stop))
    silent = {} if estimator.verbose else {"callbacks__print_log": None}
    return {"callbacks": callbacks, "verbose": estimator.verbose, **silent}


def _canonical(name: str, parameters: dict[str, Any]) -> Any:
    value = parameters[name]
    if name == "hidden_layer_sizes":
        return [int(size) for size in value]
    if name == "activation":
        return [make_activation(kind) for kind, _ in layers_of(value, parameters["hidden_layer_sizes"])]
    if name in INITIALIZER_PARAMS:
        # A nested parameter of the same object may change.
        return None if value is None else copy.deepcopy(get_initializer(value))
    return str(value) if name == "device" else value


def _same(first: _Given, second: _Given) -> bool:
    a, b = first.canonical, second.canonical
    if not isinstance(a, list) or not any(isinstance(item, nn.Module) for item in a + b):
        return bool(a == b)
    # Modules are equal if they are the same object, or of one class with the same attributes.
    return first.value is second.value or [_described(module) for module in a] == [_described(module) for module in b]


def _described(module: nn.Module) -> tuple[type, str]:
    return type(module), repr(vars(module))
