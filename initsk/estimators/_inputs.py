"""The parameters that the multilayer perceptrons share: what is allowed, and what they mean."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from torch.utils.data import Subset

from initsk.estimators._make_net import get_optimizer
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
        What fills the weights; see `list_initializers`. One that looks at data gets a random
        batch of 512 samples of what `fit` is given.
    bias_initializer : str, Initializer, callable or None, default=None
        What fills the biases; None means zeros (torch's default draws its own).
    output_initializer : str, Initializer, callable or None, default=None
        What fills the weights of the output layer; None treats it like the others.
    normalization : {"batch_norm", "layer_norm"} or None, default=None
        What comes between each hidden layer and its activation function.
    dropout : float, default=0.0
        Probability, below 1, of setting an activation to zero in training.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or torch.optim class, default="adam"
        What follows the gradient.
    optimizer_params : dict or None, default=None
        Further arguments of the optimizer, ``{"momentum": 0.9}``.
    lr : float, default=0.001
        Learning rate, above 0.
    batch_size : int, default=32
        Samples per step; all at once where there are fewer.
    max_epochs : int, default=20
        Passes over the data, at least 1.
    early_stopping : bool, default=False
        Hold out part of the data, end training when the loss on it has not improved for `patience`
        epochs, and take the weights of the best epoch.
    validation_fraction : float, default=0.1
        Part of the data that early stopping holds out, between 0 and 1; unused where `fit` is given `X_val`.
    patience : int, default=5
        Epochs without improvement that early stopping allows.
    tol : float, default=0.0001
        Smallest relative decrease of the loss that is an improvement, at least 0.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights that are there instead of fresh ones.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights, validation split, batch order and dropout.
    device : str, default="cpu"
        torch device of the training. The data are moved once, and stay there if they fit.
    n_threads : int or None, default=None
        Threads of torch during fit and prediction; the same number gives the same
        model. None takes torch's setting, which is as before afterwards either way.
    input_scale : float or None, default=None
        Factor of X, batch by batch. With it images of 8 bits are not copied: ``1 / 255``.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch; one that raises KeyboardInterrupt ends it. Held-out measures
        such as ``valid_loss`` exist with `early_stopping`, or where `fit` is given `X_val`.
    verbose : int, default=0
        1 prints skorch's line per epoch.
"""


def document_parameters(cls: type) -> type:
    """Put the shared parameters into a class's docstring, where it says so."""
    if cls.__doc__ is not None:
        cls.__doc__ = cls.__doc__.replace("    {parameters}\n", PARAMETERS)
    return cls


def _callback(item: Any) -> str | None:
    """Allow what skorch takes: a callback, its class, or a pair of a name and either."""
    if isinstance(item, tuple) and len(item) == 2:
        item = item[1]
    fine = isinstance(item, Callback) or (isinstance(item, type) and issubclass(item, Callback))
    return None if fine else "a skorch callback"


def _check_activation(activation: Any) -> None:
    """Raise InvalidParameterError for what is no activation function, or no list of them."""
    for item in activation if isinstance(activation, list | tuple) else [activation]:
        make_activation(item)


def _sizes(value: Any) -> str | None:
    """Allow a tuple, a list or an array of widths."""
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
    """Check parameters that are each allowed, but may not be together.

    Raises
    ------
    InvalidParameterError
        If any are refused; the message names all of them.
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


#: What skorch calls to split a data set into one for training and one for validation.
Split = Callable[..., Any]


@dataclass(frozen=True)
class Samples:
    """Samples, what the net learns from, and weights of mean 1 or None."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the samples that count."""
        return np.arange(len(self.X)) if self.weight is None else np.flatnonzero(self.weight)

    @property
    def target(self) -> Any:
        """What goes to skorch as y."""
        return self.y if self.weight is None else (self.y, self.weight)

    def counted(self) -> Dataset | Subset:
        """Return the samples that count as a data set, without weights."""
        dataset = Dataset(self.X, self.y)
        return dataset if self.weight is None else _subset(dataset, self.rows)


def check_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return weights of mean 1, so that the learning rate means the same with and without; None stays.

    Raises
    ------
    ValueError
        If one is missing, negative or not finite, or all are zero.

    Examples
    --------
    >>> check_weight([2, 6, 0], np.ones((3, 1))).tolist()
    [0.5, 1.5, 0.0]
    """
    if sample_weight is None:
        return None
    weight = as_weight(sample_weight, len(X))
    if not weight.any():
        raise ValueError("the weights of all samples are zero")
    normalised: np.ndarray = weight / weight[weight > 0].mean()
    return normalised


def as_weight(sample_weight: Any, n_samples: int) -> np.ndarray:
    """Return a weight for each sample; one number counts for all.

    Raises
    ------
    ValueError
        If there is not one for each sample, or one is missing, negative or not finite.
    """
    weight: np.ndarray = check_array(
        np.full(n_samples, sample_weight) if np.isscalar(sample_weight) else sample_weight,
        ensure_2d=False,
        dtype=np.float64,
        input_name="sample_weight",
    )
    if weight.shape != (n_samples,):
        raise ValueError(f"sample_weight has the shape {weight.shape} (a number for each of {n_samples} samples)")
    if (weight < 0).any():
        raise ValueError("sample_weight has negative values (allowed: 0 and above)")
    return weight


def split_validation(samples: Samples, fraction: float, seed: int, stratify: bool) -> Split:
    """Return a split that holds out a part of the samples that count; no data are copied.

    Raises
    ------
    ValueError
        If there are too few samples, or too few of a class.
    """
    rows = samples.rows
    labels = samples.y[rows] if stratify else None
    train, valid = train_test_split(rows, test_size=fraction, random_state=seed % 2**32, stratify=labels)
    return partial(_split_rows, train, valid)


def _split_rows(train: np.ndarray, valid: np.ndarray, dataset: Dataset, y: Any = None) -> tuple[Subset, Subset]:
    return _subset(dataset, train), _subset(dataset, valid)


def _subset(dataset: Dataset, rows: np.ndarray) -> Subset:
    # An array, though torch says list: of many rows that would be several times as large.
    return Subset(dataset, cast(Sequence[int], rows))
