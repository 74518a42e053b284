"""The parameters that the multilayer perceptrons share: their documentation, their constraints, optimizers by name."""

import inspect
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from initsk.exceptions import InvalidParameterError
from initsk.initializers import get_initializer
from initsk.network import NORMALIZATIONS, make_activation
from initsk.utils.random import check_random_state
from initsk.utils.torch_settings import check_device
from initsk.utils.validation import (
    Constraint,
    boolean,
    instance_of,
    integer,
    one_of,
    optional,
    real,
    refuse,
    resolved_by,
    sequence_of,
    unknown_name,
)

PARAMETERS = """\
    hidden_layer_sizes : tuple of int, default=(100,)
        Width of each hidden layer; empty for a linear model.
    activation : str, torch.nn.Module class, module, callable, or a list of these, default="relu"
        Activation function after each hidden layer, by the name of one of torch.nn's, or any function of
        one tensor; a list has one per layer.
    initializer : str, Initializer or callable, default="he_normal"
        Initializer of the weights; see `list_initializers`. An initializer that needs data gets a random
        batch of 512 of the samples that `fit` gets.
    bias_initializer : str, Initializer, callable or None, default=None
        Initializer of the biases; None means zeros (torch's default draws its own).
    output_initializer : str, Initializer, callable or None, default=None
        Initializer of the output layer's weights; None treats it like the other layers.
    normalization : {"batch_norm", "layer_norm"} or None, default=None
        Normalization layer between each hidden layer and its activation function.
    dropout : float, default=0.0
        Probability, below 1, of setting an activation to zero in training.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or torch.optim class, default="adam"
        Optimizer.
    optimizer_params : dict or None, default=None
        Further arguments of the optimizer, ``{"momentum": 0.9}``.
    lr : float, default=0.001
        Learning rate, above 0.
    batch_size : int, default=32
        Samples per step; all samples if there are fewer.
    max_epochs : int, default=20
        Passes over the data, at least 1.
    early_stopping : bool, default=False
        Hold out part of the data, end training when the loss on the held-out data has not improved for
        `patience` epochs, and restore the weights of the best epoch.
    validation_fraction : float, default=0.1
        Part of the data that early stopping holds out, between 0 and 1; unused if `fit` gets `X_val`.
    patience : int, default=5
        Epochs without improvement that early stopping allows.
    tol : float, default=0.0001
        Smallest relative decrease of the loss that counts as an improvement, at least 0.
    warm_start : bool, default=False
        Whether `fit` continues from the present weights instead of initializing new ones.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights, validation split, batch order and dropout.
    device : str, default="cpu"
        torch device of the training. The data are moved to it once if they fit, otherwise batch by batch.
    n_threads : int or None, default=None
        Threads of torch during fit and prediction; the same number gives the same model. None keeps torch's
        setting. torch's setting is restored afterwards.
    input_scale : float or None, default=None
        Factor of X, applied to each batch. ``1 / 255`` scales images of 8 bits without copying them.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch. A callback ends the training by raising KeyboardInterrupt. Measures on
        held-out data, such as ``valid_loss``, exist with `early_stopping`, or if `fit` gets `X_val`.
    verbose : int, default=0
        1 prints skorch's line per epoch.
"""


OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def get_optimizer(optimizer: Any) -> type[torch.optim.Optimizer]:
    """Return the torch optimizer class that a name or a class stands for.

    Examples
    --------
    >>> get_optimizer("sgd").__name__
    'SGD'
    """
    if isinstance(optimizer, str) and optimizer in OPTIMIZERS:
        return OPTIMIZERS[optimizer]
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        return optimizer
    raise InvalidParameterError(unknown_name("optimizer", optimizer, OPTIMIZERS) + ", or a torch.optim class")


def optimizer_arguments(optimizer: type[torch.optim.Optimizer], given: dict[str, Any] | None) -> dict[str, Any]:
    """Return the given arguments, with torch's fused implementation of the optimizer where torch has one.

    Examples
    --------
    >>> optimizer_arguments(torch.optim.SGD, {"momentum": 0.9})
    {'fused': True, 'momentum': 0.9}
    """
    return ({"fused": True} if optimizer in _FUSED else {}) | dict(given or {})


def document_parameters(cls: type) -> type:
    """Replace ``{parameters}`` in a class's docstring by the documentation of the shared parameters."""
    if cls.__doc__ is not None:
        cls.__doc__ = cls.__doc__.replace("    {parameters}\n", PARAMETERS)
    return cls


def _callback(item: Any) -> str | None:
    """Allow a skorch callback, a class of callbacks, or a pair of a name and one of these."""
    if isinstance(item, tuple) and len(item) == 2:
        item = item[1]
    fine = isinstance(item, Callback) or (isinstance(item, type) and issubclass(item, Callback))
    return None if fine else "a skorch callback"


def _check_activation(activation: Any) -> None:
    """Raise InvalidParameterError unless `activation` is an activation function or a list of them."""
    for item in activation if isinstance(activation, list | tuple) else [activation]:
        make_activation(item)


def _sizes(value: Any) -> str | None:
    """Allow a tuple, a list or an array of positive integers."""
    widths = value.tolist() if isinstance(value, np.ndarray) else value
    return sequence_of(integer(1), "a tuple of integers >= 1")(widths)


CONSTRAINTS: dict[str, Constraint] = {
    "hidden_layer_sizes": _sizes,
    "activation": resolved_by(_check_activation),
    "initializer": resolved_by(get_initializer),
    "bias_initializer": optional(resolved_by(get_initializer)),
    "output_initializer": optional(resolved_by(get_initializer)),
    "normalization": optional(one_of("normalization", NORMALIZATIONS)),
    "dropout": real(minimum=0, below=1),
    "optimizer": resolved_by(get_optimizer),
    "optimizer_params": optional(instance_of(dict, "a dict of the optimizer's arguments")),
    "lr": real(above=0),
    "batch_size": integer(1),
    "max_epochs": integer(1),
    "early_stopping": boolean(),
    "validation_fraction": real(above=0, below=1),
    "patience": integer(1),
    "tol": real(minimum=0),
    "warm_start": boolean(),
    "random_state": resolved_by(check_random_state),
    "device": resolved_by(check_device),
    "n_threads": optional(integer(1)),
    "input_scale": optional(real(above=0)),
    "callbacks": optional(sequence_of(_callback, "a list of skorch callbacks")),
    "verbose": integer(0),
}


def check_together(owner: str, parameters: dict[str, Any]) -> None:
    """Check combinations of parameters that are each allowed.

    Raises
    ------
    InvalidParameterError
        If a combination is not allowed; the message names all of them.
    """
    problems = []
    activation, n_layers = parameters["activation"], len(parameters["hidden_layer_sizes"])
    if isinstance(activation, list | tuple) and len(activation) != n_layers:
        problems.append(f"activation={activation!r} is not allowed (a list of {n_layers}, one per hidden layer)")
    if parameters["normalization"] == "batch_norm" and parameters["batch_size"] == 1:
        problems.append("batch_size=1 is not allowed (an integer >= 2 for normalization='batch_norm')")
    arguments = set(inspect.signature(get_optimizer(parameters["optimizer"])).parameters) - {"params", "lr"}
    for name in parameters["optimizer_params"] or {}:
        if name not in arguments:
            problems.append(f"optimizer_params: {unknown_name('argument', name, arguments)}")
    refuse(owner, problems)
