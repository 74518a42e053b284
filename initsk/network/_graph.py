"""Symbolic traces of modules (torch.fx)."""

import threading
from collections.abc import Callable
from inspect import signature
from typing import Any

import torch
from torch import fx, nn

from initsk.network._activations import ElementwiseFunction
from initsk.network._layer_types import AFFINE
from initsk.utils.random import GLOBAL_STATE


class Tracer(fx.Tracer):
    """A tracer that records each layer, also of a user's subclass, as one operation, and ignores other threads.

    torch.fx patches ``torch.nn.Module`` itself, so that modules that run in other threads call the tracer too.
    """

    trace_asserts = True

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is recorded as one operation."""
        return isinstance(m, (*AFFINE, ElementwiseFunction)) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record a module's call in this thread."""
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Record the reading of a parameter in this thread."""
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def trace(module: nn.Module) -> fx.Graph:
    """Trace a module; arguments of its ``forward`` with plain defaults keep these."""
    parameters = signature(module.forward).parameters.values()
    known = {p.name: p.default for p in parameters if isinstance(p.default, bool | int | float | str | None)}
    # Two traces at a time would undo each other's patches.
    with GLOBAL_STATE, torch.random.fork_rng(devices=[]):
        return Tracer().trace(module, concrete_args=known)
