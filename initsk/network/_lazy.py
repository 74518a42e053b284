"""Shapes for lazy modules, from one forward pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.network._batches import is_stream, iterate_batches
from initsk.network._state import preserve_mode
from initsk.network._wrappers import run_as_written
from initsk.utils.global_state import GLOBAL_STATE, one_at_a_time


def lazy_parameters(module: nn.Module) -> list[str]:
    """Return the names of the parameters and buffers that have no shape yet.

    Examples
    --------
    >>> lazy_parameters(nn.Linear(2, 2))
    []
    """
    tensors = chain(module.named_parameters(), module.named_buffers())
    return [name for name, tensor in tensors if nn.parameter.is_lazy(tensor)]


@one_at_a_time
def infer_shapes(module: nn.Module, X: Any, *, seed: int | None = 0) -> None:
    """Give lazy modules their shapes, in one forward pass of the first batch of X in evaluation mode.

    Buffers, training flags and the random state stay as they were.

    Raises
    ------
    ModuleError
        If there is no X, or a lazy module does not run.
    """
    names = lazy_parameters(module)
    if not names:
        return
    if X is None or (is_stream(X) and hasattr(X, "__next__")):
        raise ModuleError(f"{_without_shape(names)} yet (allowed: X, a batch for one forward pass)")
    with structure_restored_on_failure(module):
        with run_as_written(module), torch.no_grad(), preserve_mode(module, training=False, seed=seed):
            batch = next(iterate_batches(module, X), None)
            if batch is None:
                raise ModuleError("X has no samples: lazy modules get no shapes from it (allowed: at least one sample)")
            try:
                batch.run(module)
            except ModuleError as error:
                raise ModuleError(f"lazy modules get no shapes, since {error}") from (error.__cause__ or error)
        left = lazy_parameters(module)
        if left:
            raise ModuleError(
                f"{_without_shape(left)} after a forward pass of X, because the module did not run (allowed: X that"
                " reaches every lazy module, or plain modules)"
            )


def _without_shape(names: list[str]) -> str:
    """Return that parameters have no shape."""
    return f"{', '.join(names)} of a lazy module {'has' if len(names) == 1 else 'have'} no shape"


@contextmanager
def structure_restored_on_failure(module: nn.Module) -> Iterator[None]:
    """If the block raises, restore classes, attributes, parameters and buffers that were replaced or had no shape."""
    restore = _save_structure(module)
    try:
        yield
    except BaseException:
        restore()
        raise


@contextmanager
def lazy_again(module: nn.Module) -> Iterator[None]:
    """Let lazy parts of a module have shapes inside the block only; its parameters stay the same objects."""
    # Another thread may have given the module shapes for its own block.
    with GLOBAL_STATE.held():
        if not lazy_parameters(module):
            yield
            return
        with GLOBAL_STATE.changed(_save_structure(module)):
            yield


def _save_structure(module: nn.Module) -> Callable[[], None]:
    """Return a function that restores classes, attributes, and parameters and buffers without a shape."""
    parts = [(part, type(part), dict(vars(part))) for part in module.modules()]
    # Other dicts are the user's own.
    names = [name for name, table in vars(nn.Module()).items() if isinstance(table, dict)]
    tables = [attributes[name] for _, _, attributes in parts for name in names if name in attributes]
    contents = [(held, dict(held)) for held in tables]
    tensors = chain(module.parameters(), module.buffers())
    lazy = [(tensor, type(tensor)) for tensor in tensors if nn.parameter.is_lazy(tensor)]

    def restore() -> None:
        for part, kind, attributes in parts:
            part.__class__ = kind
            vars(part).clear()
            vars(part).update(attributes)
        for held, before in contents:
            held.clear()
            held.update(before)
        for tensor, lazy_kind in lazy:
            dtype = tensor.dtype
            if tensor.requires_grad:
                # torch expects gradients of the old shape until the type changes, if a graph is still there.
                other = torch.float16 if dtype != torch.float16 else torch.float32
                tensor.data = torch.empty(0, dtype=other, device=tensor.device)
            tensor.data = torch.empty(0, dtype=dtype, device=tensor.device)
            tensor.__class__ = lazy_kind

    return restore
