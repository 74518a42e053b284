"""Parameters that changed since a network was built: those of its layers are refused, others take effect."""

from functools import cache
from typing import Any

from skorch.callbacks import EarlyStopping
from skorch.utils import noop
from torch import nn

from initsk.estimators._parameters import layers_of, optimizer_arguments, try_optimizer
from initsk.initializers import INITIALIZER_PARAMS, get_initializer
from initsk.network import get_optimizer, layer_sizes, make_activation
from initsk.utils.validation import refuse

_LAYERS = ("hidden_layer_sizes", "activation", "normalization", "dropout", "input_scale", "standardize_target")


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
        names = [name for name in (*_LAYERS, *INITIALIZER_PARAMS, "device") if name in parameters]
        self.network = {name: _canonical(name, parameters) for name in names}
        self.texts = {name: repr(parameters[name]) for name in names}
        self.optimizer = optimizer_of(estimator)
        of_callbacks = ("early_stopping", "patience", "tol", "verbose")
        self.callbacks = [list(estimator.callbacks or []), *(parameters[name] for name in of_callbacks)]

    def check_same_network(self, owner: str, new: "Settings") -> None:
        """Raise InvalidParameterError if the new settings are those of another network; the message names all."""
        changed = [name for name, value in self.network.items() if value != new.network[name]]
        refuse(
            owner,
            [
                f"{name}={new.texts[name]} is not allowed, since the trained network has"
                f" {self.texts[name]} (for a new network: fit with warm_start=False, or a new estimator)"
                for name in changed
            ],
        )

    def apply(self, net: Any, new: "Settings", estimator: Any) -> None:
        """Give a trained net the new optimizer and callbacks; those that did not change keep their state."""
        if new.optimizer != self.optimizer:
            try_optimizer(type(estimator).__name__, estimator.get_params(deep=False))
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
    """Return what equals other ways to give the same value, and stays if the value is changed in place."""
    value = parameters[name]
    if name == "hidden_layer_sizes":
        return layer_sizes(value)
    if name == "activation":
        kinds = [kind for kind, _ in layers_of(value, parameters["hidden_layer_sizes"])]
        return [_described_name(kind) if isinstance(kind, str) else _described(make_activation(kind)) for kind in kinds]
    if name in INITIALIZER_PARAMS:
        initializer = None if value is None else get_initializer(value)
        return repr(initializer), getattr(initializer, "function", None)
    return str(value) if name == "device" else value


def _described(module: nn.Module) -> tuple[type, str]:
    return type(module), repr(vars(module))


@cache
def _described_name(activation: str) -> tuple[type, str]:
    return _described(make_activation(activation))
