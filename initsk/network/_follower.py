"""Steps of a forward pass: calls of torch's functions, and ends of calls of modules."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple

from torch import nn

from initsk.network._originals import ParametersRestored
from initsk.network._parts import named_parts
from initsk.network._state import hooks_of_users_wrapped
from initsk.network._wrappers import clean_names


class Step(NamedTuple):
    """One step of a forward pass: the module that runs, and the function that it calls; None at the module's end."""

    module: nn.Module
    function: Callable[..., Any] | None


class ForwardFollower(ParametersRestored):
    """Follow the forward passes of a module, step by step, in this thread.

    Two forward passes with equal steps compute the same operations. Attributes of tensors, such as ``x.shape``, are no
    steps. At the end, parameters that were written into have their values back.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        clean = clean_names(module)
        #: Name of each part, without the names of wrappers; the first name if it has several.
        self.names = {part: clean[name] for name, part in named_parts(module)}
        self._thread = 0
        self.paused = False
        self.start_pass()

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The parts by their names; of a wrapper and the module in it, the module."""
        return {name: part for part, name in self.names.items()}

    def start_pass(self) -> None:
        """Begin with the first step; call this before each forward pass."""
        self.n_steps = 0
        self.parts: list[nn.Module] = []
        self.is_over = False

    def on_enter(self, part: nn.Module) -> None:
        """Note that a call of a module begins."""

    def on_leave(self, part: nn.Module, arguments: Any, output: Any) -> None:
        """Note that a call of a module ends; the output is None if the call failed."""

    def on_function(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function of torch and return its result."""
        return function(*args, **kwargs)

    def on_attribute(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return an attribute of a tensor."""
        return function(*args)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run a function of torch; a call by a module is a step."""
        kwargs = kwargs or {}
        self.copy_before(func, args, kwargs)
        if self.paused or not self.parts:
            return func(*args, **kwargs)
        if getattr(func, "__name__", "") == "__get__":
            return self.on_attribute(func, args)
        self.n_steps += 1
        return self.on_function(func, args, kwargs)

    @property
    def _is_following(self) -> bool:
        # Parts that are checkpointed run again for the backward pass.
        return not (self.paused or self.is_over) and threading.get_ident() == self._thread

    def _before(self, part: nn.Module, args: Any, kwargs: Any) -> None:
        if self._is_following:
            self.parts.append(part)
            self.on_enter(part)

    def _after(self, part: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if self._is_following and self.parts:
            self.n_steps += 1
            with self.paused_inside():
                self.on_leave(part, (args, kwargs), output)
            self.parts.pop()
            self.is_over = not self.parts

    @contextmanager
    def paused_inside(self) -> Iterator[None]:
        """Follow nothing inside the block."""
        before, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = before

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow the forward passes inside the block; hooks of users run, but their functions are no steps."""
        handles = []
        self._thread = threading.get_ident()
        try:
            with hooks_of_users_wrapped(self.module, self._apart):
                for part in self.names:
                    handles.append(part.register_forward_pre_hook(self._before, with_kwargs=True, prepend=True))
                    handles.append(part.register_forward_hook(self._after, with_kwargs=True, always_call=True))
                with self:
                    yield
        finally:
            for handle in handles:
                handle.remove()

    def _apart(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(hook)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self.paused_inside():
                return hook(*args, **kwargs)

        return run
