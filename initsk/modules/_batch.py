"""From what a user has to what a module takes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initializers import Initializer
from initsk.utils._tensors import as_tensor


class Batch(NamedTuple):
    """Arguments of a module's call, and the targets."""

    inputs: tuple[Any, ...] | None
    keywords: dict[str, Any]
    target: torch.Tensor | None


def as_batch(module: nn.Module, X: Any, y: Any, initializers: list[Initializer]) -> Batch:
    """Bring X and y to the module's device and type, or say what is missing or not finite.

    Raises
    ------
    InvalidParameterError
        If an initializer needs X or y and they are not there.
    ModuleError
        If X or y holds NaN or infinity, or the module has no values yet.
    """
    for initializer in initializers:
        name = type(initializer).__name__
        if initializer.needs_gradient and (X is None or y is None):
            raise InvalidParameterError(
                f"{name} needs a batch with its targets (allowed: initialize(..., X=..., y=...))"
            )
        if initializer.needs_data and X is None:
            raise InvalidParameterError(f"{name} needs a batch (allowed: initialize(..., X=...))")
        if initializer.refines and any(parameter.is_meta for parameter in module.parameters()):
            raise ModuleError(f"{name} works on values, which a module on the meta device does not have")
    if not any(initializer.needs_data for initializer in initializers):
        return Batch(None, {}, None)
    like = next((p for p in module.parameters() if p.is_floating_point() or p.is_complex()), torch.empty(0))
    parts = tuple(X) if isinstance(X, tuple) else () if isinstance(X, Mapping) else (X,)
    keywords = X if isinstance(X, Mapping) and not hasattr(X, "iloc") else {}
    inputs = tuple(_tensor("X", part, like) for part in parts)
    named = {str(key): _tensor(f"X[{key!r}]", part, like) for key, part in keywords.items()}
    return Batch(inputs, named, None if y is None else _tensor("y", y, like))


def _tensor(name: str, values: Any, like: torch.Tensor) -> torch.Tensor:
    if not isinstance(values, torch.Tensor):
        values = np.asarray(values)
        if values.dtype.kind not in "biufc":
            raise InvalidParameterError(f"{name} of type {values.dtype} is not allowed (numbers)")
        values = as_tensor(values)
    if values.is_floating_point() or values.is_complex():
        values = values.to(like.dtype)
        if not torch.isfinite(values).all():
            raise ModuleError(f"{name} holds NaN or infinity")
    # A copy: a module that begins with an operation in place would overwrite the caller's data.
    return values.detach().to(like.device, copy=True)
