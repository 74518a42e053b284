"""Symbolic tracing (torch.fx) that leaves nothing behind, in the module or in torch."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import fx, nn

from initsk.network._view import AFFINE
from initsk.theory import ACTIVATION_FUNCTIONS
from initsk.utils.random import GLOBAL_STATE

#: What a traced module may call that is an activation function.
ACTIVATION_NAMES = set(ACTIVATION_FUNCTIONS) - {"identity", "linear"}


class Tracer(fx.Tracer):
    """Takes layers as one operation, a user's subclass of them included, and lets other threads pass.

    torch.fx patches ``torch.nn.Module`` itself, so that modules which run elsewhere meet the tracer too.
    """

    trace_asserts = True

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Say whether a module is taken as one operation."""
        return isinstance(m, (*AFFINE, ElementwiseFunction)) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record a module's call, if it is ours."""
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Record that a parameter is read, if it is ours."""
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def trace(module: nn.Module) -> fx.Graph:
    """Trace a module, with the arguments of its ``forward`` that have plain defaults at these."""
    parameters = signature(module.forward).parameters.values()
    known = {p.name: p.default for p in parameters if isinstance(p.default, bool | int | float | str | None)}
    # Two at a time would put back each other's patches.
    with GLOBAL_STATE, torch.random.fork_rng(devices=[]):
        return Tracer().trace(module, concrete_args=known)


def function_of_first(target: Callable[..., Any] | str, rest: Sequence[Any], keywords: dict[str, Any]) -> Any:
    """Return what a traced call does to its first argument, with the others as they are; `target` may be a method."""
    return partial(_call, target, rest, keywords)


def _call(target: Callable[..., Any] | str, rest: Sequence[Any], keywords: dict[str, Any], x: Any) -> Any:
    return getattr(x, target)(*rest, **keywords) if isinstance(target, str) else target(x, *rest, **keywords)


@contextmanager
def attributes_stay(module: nn.Module) -> Iterator[None]:
    """Take away what tracing leaves in modules: constants of the graph, symbols that a forward keeps."""
    containers = [vars(part) for part in module.modules()]
    containers += [value for held in containers for value in held.values() if type(value) in (list, dict, set)]
    before = [(container, container.copy()) for container in containers]
    try:
        yield
    finally:
        for container, values in before:
            container.clear()
            (container.extend if isinstance(container, list) else container.update)(values)


class ElementwiseFunction(nn.Module):
    """A function of one tensor as a module, ``torch.sin`` for one.

    Parameters
    ----------
    function : callable
        Works element by element on tensors.

    Examples
    --------
    >>> ElementwiseFunction(torch.square)(torch.tensor([1.0, -2.0]))
    tensor([1., 4.])
    """

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the function."""
        return self.function(x)

    def extra_repr(self) -> str:
        """Name the function."""
        return getattr(self.function, "__name__", repr(self.function))
