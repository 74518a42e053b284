"""Values of parameters before a forward pass writes into them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from initsk.network._parts import parameters_of


class ParametersRestored(TorchFunctionMode):
    """Give parameters that a forward pass writes into their values back, at the end of the block.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._module = module
        self._by_storage: dict[int, nn.Parameter] | None = None
        self._copies: dict[int, tuple[nn.Parameter, torch.Tensor, torch.Tensor]] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run a function of torch, after a copy of the parameter that it writes into, if it is one."""
        kwargs = kwargs or {}
        written = kwargs.get("out") if "out" in kwargs else args[0] if args and _writes(func) else None
        if isinstance(written, torch.Tensor):
            self._copy(written)
        return func(*args, **kwargs)

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        for parameter, values, copy in self._copies.values():
            values.copy_(copy)
            parameter.data = values
        self._copies.clear()

    def _copy(self, written: torch.Tensor) -> None:
        if self._by_storage is None:
            self._by_storage = {_storage(parameter): parameter for parameter in parameters_of(self._module)}
        parameter = self._by_storage.get(_storage(written))
        if parameter is not None and id(parameter) not in self._copies:
            values = parameter.data
            self._copies[id(parameter)] = parameter, values, values.clone()


@lru_cache(maxsize=4096)
def _writes(function: Callable[..., Any]) -> bool:
    """Return whether a function writes into its first argument: ``add_``, ``+=``, ``x[0] = 1``, ``x.data = y``."""
    name = getattr(function, "__name__", "")
    special = name.startswith("__") and name.endswith("__")
    return name in ("__setitem__", "__set__") or (name.startswith("__i") if special else name.endswith("_"))


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
