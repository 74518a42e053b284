"""From what a user has to what a module takes."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.utils.torch_settings import as_tensor


class CallArguments(NamedTuple):
    """Arguments of a module's call, and the targets."""

    inputs: tuple[Any, ...] | None
    keywords: dict[str, Any]
    target: torch.Tensor | None


def as_batch(module: nn.Module, X: Any, y: Any) -> CallArguments:
    """Return X and y on the module's device and of its type.

    Raises
    ------
    ModuleError
        If X or y holds NaN or infinity.
    """
    like, looks_up = input_type(module)
    taken = partial(_taken, like=like, integers=looks_up)
    parts = X if isinstance(X, tuple) and not isinstance(X, PackedSequence) else (X,)
    if isinstance(X, Mapping):
        return CallArguments((), {str(key): taken(f"X[{key!r}]", part) for key, part in X.items()}, _target(y, like))
    return CallArguments(tuple(taken("X", part) for part in parts), {}, _target(y, like))


def input_type(module: nn.Module) -> tuple[torch.Tensor, bool]:
    """Return a tensor of the device and type that a module takes, and whether it takes integers as they are."""
    like = next((p for p in module.parameters() if p.is_floating_point() or p.is_complex()), torch.empty(0))
    # Only embeddings look integers up.
    return like, any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in module.modules())


def _target(y: Any, like: torch.Tensor) -> torch.Tensor | None:
    return None if y is None else _tensor("y", y, like, integers=True)


def _taken(name: str, values: Any, like: torch.Tensor, integers: bool) -> Any:
    """Bring one argument of the module's call to the module's device and type."""
    if values is None or isinstance(values, bool | str):
        return values
    if isinstance(values, PackedSequence):
        return values.cuda(like.device) if like.is_cuda else values.cpu()
    if isinstance(values, Mapping):
        return {key: _taken(f"{name}[{key!r}]", part, like, integers) for key, part in values.items()}
    return _tensor(name, values, like, integers)


def _tensor(name: str, values: Any, like: torch.Tensor, integers: bool) -> torch.Tensor:
    taken = to_input(name, values, like, integers)
    if (taken.is_floating_point() or taken.is_complex()) and not torch.isfinite(taken).all():
        raise ModuleError(f"{name} holds NaN or infinity")
    return taken


def to_input(
    name: str, values: Any, like: torch.Tensor, integers: bool, buffers: dict[str, torch.Tensor] | None = None
) -> torch.Tensor:
    """Copy numbers to the device and type of a module's parameters; integers stay where `integers` says so.

    Who goes through many batches gives a dict of `buffers`, which are overwritten by the next batch: fresh memory
    costs more than the copy.

    Raises
    ------
    InvalidParameterError
        If the values are no numbers.
    """
    if not isinstance(values, torch.Tensor):
        values = np.asarray(values)
        if values.dtype.kind not in "biufc":
            raise InvalidParameterError(f"{name} of type {values.dtype} is not allowed (numbers)")
        values = as_tensor(values)
    # Bytes are images, which even a network with embeddings takes as numbers.
    stays = values.dtype == torch.bool or (integers and values.dtype != torch.uint8)
    stays &= not (values.is_floating_point() or values.is_complex())
    dtype = values.dtype if stays else like.dtype
    # A copy: a module that begins with an operation in place would overwrite the caller's data.
    if buffers is None or values.dim() == 0:
        return values.detach().to(like.device, dtype, copy=True)
    held = buffers.get(name)
    if held is None or held.dtype != dtype or held.shape[1:] != values.shape[1:] or len(held) < len(values):
        held = buffers[name] = torch.empty(values.shape, dtype=dtype, device=like.device)
    return held[: len(values)].copy_(values.detach())
