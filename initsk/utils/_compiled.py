"""Modules that torch.compile was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn


def compiled_part(module: nn.Module) -> tuple[str, nn.Module] | None:
    """Return the module inside of what ``torch.compile(module)`` returned, with its name there; None for others.

    Examples
    --------
    >>> compiled_part(nn.ReLU()) is None
    True
    >>> inner = nn.ReLU()
    >>> compiled_part(torch.compile(inner, backend="eager"))[1] is inner
    True
    """
    home = type(module).__module__
    if not home.startswith("torch.") or home.startswith("torch.nn.") or not isinstance(module, _wrapper()):
        return None
    ((name, inner),) = module.named_children()
    return name, inner


def is_compiled(module: nn.Module) -> bool:
    """Return whether a module runs compiled code: after ``torch.compile(module)`` or ``module.compile()``.

    The second sets an attribute of the module that `torch.nn.Module` declares as None.
    """
    own = (name for name, value in vars(module).items() if callable(value))
    return compiled_part(module) is not None or any(getattr(nn.Module, name, "") is None for name in own)


@contextmanager
def run_as_written(module: nn.Module) -> Iterator[None]:
    """Have compiled parts of a module run as they were written, inside the block."""
    if not any(is_compiled(part) for part in module.modules()):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@cache
def _wrapper() -> type[nn.Module]:
    """Return the class of compiled modules, which has no public name."""
    example: Any = torch.compile(nn.Identity(), backend="eager")
    return type(example)
