"""From a model of any kind to its torch module and batches of input."""

from collections.abc import Iterator
from typing import Any

import torch
from sklearn.base import clone
from torch import nn

from initsk.exceptions import ModuleError
from initsk.utils._tensors import as_tensor


def get_module(model: Any, X: Any = None, y: Any = None) -> nn.Module:
    """Return the torch module that `model` is or carries; an unfitted estimator is built on a clone.

    Raises
    ------
    ModuleError
        If there is none.
    """
    if isinstance(model, nn.Module):
        return model
    for source in (getattr(model, "net_", None), model):
        module = getattr(source, "module_", None)
        if isinstance(module, nn.Module):
            return module
    if hasattr(model, "initialize") and hasattr(model, "get_params"):
        fresh = clone(model)
        if hasattr(fresh, "module"):
            return get_module(fresh.initialize())
        if y is None:
            raise ModuleError(f"{type(model).__name__} is not fitted; give y as well, so that it can be built")
        return get_module(fresh.initialize(X, y))
    raise ModuleError(
        f"{model!r} is not allowed (a torch.nn.Module, or an estimator that carries one as module_ or net_)"
    )


def iterate_batches(module: nn.Module, X: Any, batch_size: int) -> Iterator[torch.Tensor]:
    """Yield X in batches of the module's own type and device."""
    first = next(module.parameters(), torch.empty(0))
    X = as_tensor(X)
    for start in range(0, len(X), batch_size):
        batch = X[start : start + batch_size]
        if batch.is_floating_point() or not _starts_with_lookup(module):
            batch = batch.to(first.dtype)
        yield batch.to(first.device)


def _starts_with_lookup(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Embedding) for part in module.modules())
