"""The network and the data of the commands about one network."""

from math import prod
from typing import Any

import numpy as np
from sklearn.base import clone

from initsk.cli._checks import check_classes, check_for_perceptron, named
from initsk.cli._data import load_data, of_tables
from initsk.cli._load_network import load_network
from initsk.cli._option_rules import Options, given_options
from initsk.exceptions import InvalidParameterError
from initsk.initialization import initialize

_DEFAULT = "he_normal"
#: What a message has if the network does not take the data.
FORWARD_PASS = "the forward pass"


def load_model(options: Options) -> Any:
    """Return NETWORK, with weights of ``--initializer`` if that is given and needs no data."""
    return _initialized(load_network(options["network"], options["random_state"]), options)


def model_and_data(options: Options, model: Any = None, *, held_out: bool) -> tuple[Any, Any, Any]:
    """Return the network and the held-out or the training samples, in the shape that the network takes.

    A `model` is NETWORK, if that is loaded already.
    """
    dataset = options["dataset"]
    reading = of_tables(options) | {"shape": options["shape"], "task": options["task"]}
    data, continuous = load_data(dataset, options["target"], options["random_state"], **reading)
    X, y, X_val, y_val = data
    with named(dataset):
        if not continuous:
            check_classes(data)
        if options["network"] is None:
            check_for_perceptron(data)
    if options["network"] is None:
        options["has_data"] = True
        return _perceptron(options, continuous).initialize(X, y), *((X_val, y_val) if held_out else (X, y))
    if model is None:
        model = load_network(options["network"], options["random_state"])
    labels = np.unique(y)
    if held_out:
        X, y = X_val, y_val
    options |= {"has_data": True, "can_fit": _can_fit(model, X)}
    if X.dtype.kind == "f":
        X = X.astype(np.float32)
    if hasattr(model, "parameters"):
        # A plain module counts classes from 0, and computes in single precision.
        y = y.astype(np.float32) if continuous else np.searchsorted(labels, y)
    return _initialized(model, options, X, y), X, y


def _perceptron(options: Options, continuous: bool) -> Any:
    from initsk.estimators import MLPClassifier, MLPRegressor

    kind = MLPRegressor if continuous else MLPClassifier
    initializer = options.get("initializer") or _DEFAULT
    return kind(options["hidden"], options["activation"], initializer=initializer, random_state=options["random_state"])


def _initialized(model: Any, options: Options, X: Any = None, y: Any = None) -> Any:
    """Return the model with weights of ``--initializer``, or as it is without this option."""
    initializer = options.get("initializer")
    if initializer is None:
        return model
    if hasattr(model, "parameters"):
        initialize(model, initializer, X=X, y=y, random_state=options["random_state"])
        return model
    if "initializer" not in model.get_params():
        raise InvalidParameterError(
            f"--initializer: {options['network']} is the estimator {type(model).__name__}, which has no parameter"
            " initializer (allowed: a module, or an estimator that has it)"
        )
    return clone(model).set_params(initializer=initializer)


def hint_at_data(options: Options, message: str) -> str:
    """Return which data an error is about, and how to give the network those that it takes if these are others."""
    if not options.get("has_data"):
        return ""
    data = f"; the data are those of --dataset {options['dataset']}"
    if FORWARD_PASS not in message or options["network"] is None:
        return data
    if "dataset" not in given_options():
        data += ", the default: --dataset FILE names those of the network"
    can_change = options["can_fit"] and not options["shape"]
    return data + (", and --shape sets the shape of the samples" if can_change else "")


def _can_fit(model: Any, X: Any) -> bool:
    """Return whether samples of another shape could fit the first layer: its features divide the number of values."""
    layers = model.modules() if hasattr(model, "modules") else ()
    sizes = (getattr(layer, name, None) for layer in layers for name in ("in_features", "in_channels"))
    first = next((size for size in sizes if isinstance(size, int)), 0)
    return first == 0 or prod(X.shape[1:]) % first == 0
