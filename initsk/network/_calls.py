"""Calls of a module whose errors name the layer that failed and the shapes of the input."""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from initsk.exceptions import InitskError, ModuleError
from initsk.network._inputs import arrays_in
from initsk.utils.words import named_reason


def run_module(module: nn.Module, inputs: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """Return the output of a module.

    Raises
    ------
    ModuleError
        If the forward pass raises any error, of torch or of a user's own code. The message names the layer and the
        input. Errors of initsk, and of memory on an accelerator, stay as they are.

    Examples
    --------
    >>> try:
    ...     run_module(nn.Sequential(nn.ReLU(), nn.Linear(3, 1)), (torch.ones(2, 5),), {})
    ... except ModuleError as error:
    ...     print(error)
    the forward pass fails in layer '1' (Linear); input: X of shape (2, 5) and type float32: RuntimeError: mat1 ...
    """
    with errors_name_layer(module, inputs, keywords):
        return module(*inputs, **keywords)


@contextmanager
def errors_name_layer(module: nn.Module, inputs: tuple[Any, ...], keywords: Mapping[str, Any]) -> Iterator[None]:
    """Raise ModuleError, as `run_module` does, if the block runs the module and an error is raised."""
    try:
        yield
    except (InitskError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a user's forward may raise anything
        where, given = failing_layer(module, error), describe_input(inputs, keywords)
        raise ModuleError(
            f"the forward pass fails in {where}; input: {given}: {named_reason(error)}"
            " (allowed: an X on which the module runs)"
        ) from error


def failing_layer(module: nn.Module, error: Exception) -> str:
    """Return the innermost layer that was running when the error was raised, in words."""
    name, layer = failing_part(module, error)
    return f"layer {name!r} ({type(layer).__name__})" if name else f"the module ({type(layer).__name__})"


def failing_part(module: nn.Module, error: Exception) -> tuple[str, nn.Module]:
    """Return the name and the module of the innermost layer that was running when the error was raised."""
    names = {id(part): name for name, part in module.named_modules()}
    running = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    layer = next((part for part in reversed(running) if id(part) in names), module)
    return names[id(layer)], layer


def describe_input(inputs: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    """Return names, shapes and types of the tensors among the arguments, in words."""
    return describe_arrays((arrays_in(inputs) if inputs else {}) | (arrays_in(keywords) if keywords else {}))


def describe_arrays(found: Mapping[str, Any]) -> str:
    """Return names, shapes and types of the tensors among named arrays, in words."""
    tensors = {name: part for name, part in found.items() if isinstance(part, torch.Tensor)}
    shown = [f"{name} of shape {tuple(t.shape)} and type {_type_name(t)}" for name, t in tensors.items()]
    return ", ".join(shown) or "no tensor"


def _type_name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
