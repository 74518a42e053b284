"""Calls of a module whose errors name the layer that failed and the shapes of the input."""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from initsk.exceptions import InitskError, ModuleError
from initsk.network._inputs import arrays_in
from initsk.text import visible
from initsk.utils.words import reason_of

_NOTE = "The forward pass fails in "


def run_module(module: nn.Module, inputs: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """Return the output of a module; a note on an error names the layer and the input.

    Examples
    --------
    >>> try:
    ...     run_module(nn.Sequential(nn.ReLU(), nn.Linear(3, 1)), (torch.ones(2, 5),), {})
    ... except RuntimeError as error:
    ...     print(*error.__notes__)
    The forward pass fails in layer '1' (Linear); input: X of shape (2, 5) and type float32
    """
    try:
        return module(*inputs, **keywords)
    except Exception as error:
        where, given = failing_layer(module, error), describe_input(inputs, keywords)
        error.add_note(visible(f"{_NOTE}{where}; input: {given}"))
        raise


@contextmanager
def forward_errors() -> Iterator[None]:
    """Raise ModuleError for errors that torch's own code raises in a forward pass by `run_module`, inside the block.

    Errors of a user's own code stay as they are.
    """
    try:
        yield
    except (InitskError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a user's forward may raise anything
        note = next((note for note in getattr(error, "__notes__", ()) if note.startswith(_NOTE)), None)
        if note is None or not _is_of_torch(error):
            raise
        where = note.removeprefix(_NOTE)
        raise ModuleError(
            f"the forward pass fails in {where}: {reason_of(error)} (allowed: an X on which the module runs)"
        ) from error


def _is_of_torch(error: BaseException) -> bool:
    """Return whether torch's own code raised an error, and not the code of a user."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    packages = [frame.f_globals.get("__name__", "").partition(".")[0] for frame in frames]
    # Functions of torch run inside frames of a follower.
    return [package for package in packages if package != __package__.partition(".")[0]][-1:] == ["torch"]


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
