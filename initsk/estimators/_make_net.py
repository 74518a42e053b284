"""Optimizers by name."""

from typing import Any

import torch
from skorch.callbacks import EarlyStopping

from initsk.estimators.fast._batches import TensorBatches
from initsk.exceptions import InvalidParameterError
from initsk.network import MLP
from initsk.utils.random import resolve_seed
from initsk.utils.validation import unknown_name

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def get_optimizer(optimizer: Any) -> type[torch.optim.Optimizer]:
    """Turn a name or class into a torch optimizer class.

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
    """Add to the arguments given what makes the optimizer fast: one pass over the numbers where torch has it.

    Examples
    --------
    >>> optimizer_arguments(torch.optim.SGD, {"momentum": 0.9})
    {'fused': True, 'momentum': 0.9}
    """
    return ({"fused": True} if optimizer in _FUSED else {}) | dict(given or {})


def make_net(estimator: Any, kind: Any, n_features: int, layout: dict[str, Any]) -> Any:
    """Return the net, not yet initialized; `layout` has the arguments that depend on the target."""
    optimizer = get_optimizer(estimator.optimizer)
    optimizer_params = optimizer_arguments(optimizer, estimator.optimizer_params)
    quiet = {} if estimator.verbose else {"callbacks__print_log": None}
    return kind(
        MLP,
        module__n_features=n_features,
        module__hidden_layer_sizes=tuple(estimator.hidden_layer_sizes),
        module__activation=estimator.activation,
        module__normalization=estimator.normalization,
        module__dropout=estimator.dropout,
        module__input_scale=estimator.input_scale,
        **layout,
        initializer=estimator.initializer,
        bias_initializer=estimator.bias_initializer,
        output_initializer=estimator.output_initializer,
        random_state=resolve_seed(estimator.random_state),
        optimizer=optimizer,
        **{f"optimizer__{name}": value for name, value in optimizer_params.items()},
        lr=estimator.lr,
        batch_size=estimator.batch_size,
        max_epochs=estimator.max_epochs,
        iterator_train=TensorBatches,
        iterator_train__shuffle=True,
        iterator_train__device=estimator.device,
        # The statistics of a single sample are none.
        iterator_train__least=2 if estimator.normalization == "batch_norm" else 1,
        iterator_valid=TensorBatches,
        iterator_valid__batch_size=1024,
        iterator_valid__device=estimator.device,
        train_split=None,
        callbacks=_callbacks(estimator),
        **quiet,
        verbose=estimator.verbose,
        device=estimator.device,
    )


def _callbacks(estimator: Any) -> list[Any]:
    callbacks = list(estimator.callbacks or [])
    if estimator.early_stopping:
        stop = EarlyStopping(patience=estimator.patience, threshold=estimator.tol, load_best=True, sink=_say_nothing)
        callbacks.append(("early_stopping", stop))
    return callbacks


def _say_nothing(_: str) -> None:
    """Take skorch's message that the best weights were restored."""
