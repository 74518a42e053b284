"""Values of parameters before a forward pass writes into them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from initsk.network._parts import parameters_of
from initsk.utils.global_state import GLOBAL_STATE


class ParametersRestored(TorchFunctionMode):
    """Give parameters that a forward pass writes into their values back, at the end of the block.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._by_storage: dict[int, nn.Parameter] | None = None
        self._copies: dict[int, tuple[nn.Parameter, torch.Tensor, torch.Tensor]] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run a function of torch, after a copy of the parameters that it writes into."""
        kwargs = kwargs or {}
        self.copy_before(func, args, kwargs)
        return func(*args, **kwargs)

    def __enter__(self) -> "ParametersRestored":
        self._block = GLOBAL_STATE.changed(self._restore)
        self._block.__enter__()
        super().__enter__()
        return self

    def copy_before(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Copy the parameters that a call of a function writes into."""
        written = written_by(func, args, kwargs)
        # Functions of optimizers write into lists of tensors.
        for tensor in written if isinstance(written, list | tuple) else (written,):
            if isinstance(tensor, torch.Tensor):
                self._copy(tensor)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            super().__exit__(kind, error, trace)
        except RuntimeError:
            # An interrupt inside of torch has taken the mode away already; see `ThreadModes`.
            if error is None:
                raise
        finally:
            self._block.__exit__(kind, error, trace)

    def _restore(self) -> None:
        for parameter, values, copy in self._copies.values():
            values.copy_(copy)
            parameter.data = values
        self._copies, self._by_storage = {}, None

    def _copy(self, written: torch.Tensor) -> None:
        if self._by_storage is None:
            found = {storage_of(parameter): parameter for parameter in parameters_of(self.module)}
            self._by_storage = {address: parameter for address, parameter in found.items() if address is not None}
        parameter = self._by_storage.get(storage_of(written) or 0)
        if parameter is not None and id(parameter) not in self._copies:
            values = parameter.data
            if storage_of(values) is None:
                raise RuntimeError("a forward pass on fake tensors writes into a parameter, which has values")
            self._copies[id(parameter)] = parameter, values, values.clone()


_NO_WRITES = {"requires_grad_", "detach_", "share_memory_"}


def written_by(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the argument that a call of a torch function writes into, a tensor or several, or None.

    Examples
    --------
    >>> x = torch.zeros(2)
    >>> written_by(torch.Tensor.add_, (x, 1), {}) is x, written_by(torch.Tensor.add, (x, 1), {})
    (True, None)
    """
    if "out" in kwargs:
        return kwargs["out"]
    return (args[0] if args else kwargs.get("tensor")) if _writes(function) else None


@lru_cache(maxsize=4096)
def _writes(function: Callable[..., Any]) -> bool:
    """Return whether a function writes into its first argument: ``add_``, ``+=``, ``x[0] = 1``, ``x.data = y``."""
    name = getattr(function, "__name__", "")
    special = name.startswith("__") and name.endswith("__")
    if special:
        return name in ("__setitem__", "__set__") or (
            name.startswith("__i") and name not in ("__invert__", "__index__")
        )
    return name.endswith("_") and name not in _NO_WRITES


def storage_of(tensor: torch.Tensor) -> int | None:
    """Return the address of the values; None if there are none."""
    try:
        storage = tensor.untyped_storage()
    except (NotImplementedError, RuntimeError, ValueError):  # a tensor without values of its own
        return None
    return None if storage.device.type == "meta" else storage.data_ptr() or None
