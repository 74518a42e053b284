"""Values of parameters before a forward pass writes into them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import nn


class OriginalValues:
    """Copies of the parameters that a forward pass writes into, made before the first write.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._by_storage: dict[int, nn.Parameter] | None = None
        self._copies: dict[int, tuple[nn.Parameter, torch.Tensor, torch.Tensor]] = {}

    def before_call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Copy the parameter that a call of a torch function will write into, if it is one."""
        written = kwargs.get("out") if "out" in kwargs else args[0] if args and _writes(function) else None
        if not isinstance(written, torch.Tensor):
            return
        if self._by_storage is None:
            self._by_storage = {_storage(parameter): parameter for parameter in self._module.parameters()}
        parameter = self._by_storage.get(_storage(written))
        if parameter is not None and id(parameter) not in self._copies:
            values = parameter.data
            self._copies[id(parameter)] = parameter, values, values.clone()

    def restore(self) -> None:
        """Write the copies back."""
        for parameter, values, copy in self._copies.values():
            values.copy_(copy)
            parameter.data = values
        self._copies.clear()


@lru_cache(maxsize=4096)
def _writes(function: Callable[..., Any]) -> bool:
    """Return whether a function writes into its first argument: ``add_``, ``+=``, ``x[0] = 1``, ``x.data = y``."""
    name = getattr(function, "__name__", "")
    special = name.startswith("__") and name.endswith("__")
    return name in ("__setitem__", "__set__") or (name.startswith("__i") if special else name.endswith("_"))


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
