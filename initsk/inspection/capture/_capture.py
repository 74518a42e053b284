"""Seeing what a module computes, value by value, at the moment when it is produced."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from initsk.exceptions import ModuleError
from initsk.inspection.capture._functional import FunctionalActivations
from initsk.inspection.capture._unfold import Axes, unfold
from initsk.network import ACTIVATION_TYPES, NORM_LAYERS, compiled_part
from initsk.utils.torch_settings import is_unchanged, mark_of

Function = Callable[[torch.Tensor], torch.Tensor]
# One that returns what it is given stands in many networks where nothing is meant.
_ACTIVATIONS = tuple(kind for kind in ACTIVATION_TYPES if kind is not nn.Identity)


@dataclass(frozen=True)
class CapturedValue:
    """One tensor, as it was produced, and what it is.

    Parameters
    ----------
    layer : str
        Name of the layer that it belongs to, with the number of the call after the first (``fc:1``).
    position : str
        "output" of a layer; "pre_activation" and "activation" before and after an activation function.
    module : str
        Name of the module, or of the function, that produced it.
    part : torch.nn.Module or None
        That module; None for a function.
    kind : str
        The module's class, or the function's name.
    is_layer : bool
        Whether it has parameters, normalises, or is an activation function; others are seen on request.
    tensor : tensor
    axes : Axes
    function : callable or None
        The activation function that gave it.
    """

    layer: str
    position: str
    module: str
    part: nn.Module | None
    kind: str
    is_layer: bool
    tensor: torch.Tensor
    axes: Axes
    function: Function | None = None


Observer = Callable[[CapturedValue], None]


class _Source(NamedTuple):
    """The layer that an activation function's input belongs to."""

    layer: str
    axes: Axes


class _Origin(NamedTuple):
    """The layer that gave a tensor, as long as the tensor is as it was given."""

    tensor: "weakref.ref[torch.Tensor]"
    contents: Any
    source: _Source


# The name of an activation function's call, and its source; None if there is nothing to see.
Call = tuple[str, _Source | None]


class Capture:
    """Turns calls of modules and of functions into values; `begin` before each forward pass."""

    def __init__(self, module: nn.Module, observer: Observer) -> None:
        self.observer = observer
        wrappers = {found[0] for part in module.modules() if (found := compiled_part(part))}
        self.names = {part: _without(wrappers, name) for name, part in module.named_modules()}
        self.time_first = _time_first(self.names)
        self.begin()

    def begin(self) -> None:
        """Forget the pass before."""
        self.calls: Counter[str] = Counter()
        self.origins: dict[int, _Origin] = {}
        self.channels: set[tuple[int, int]] = set()
        self.stack: list[nn.Module] = []
        self.running = True
        self.paused = False
        self.met_time_first = False
        self.pending: list[Call] = []

    def enter(self, part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note that a module is called."""
        if not self.running:
            # What is computed again for the backward pass was seen before.
            return
        with self._pause():
            if isinstance(part, _ACTIVATIONS) and not self.in_activation:
                self.pending.append(self.before(self.names[part], part, (*args, *kwargs.values())))
            self.stack.append(part)
            self.met_time_first |= bool(self._samples_axis(part))

    def leave(self, part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """Take what a module returned."""
        if not self.running:
            return
        with self._pause():
            self.stack.pop()
            if self.in_activation:
                return
            if isinstance(part, _ACTIVATIONS):
                function = partial(type(part).forward, part)
                self.after(self.pending.pop(), part, type(part).__name__, function, output)
            else:
                self._take(part, output)
            self.running = bool(self.stack)

    @contextmanager
    def _pause(self) -> Iterator[None]:
        """Take no notice of functions that the block calls."""
        before, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = before

    @property
    def in_activation(self) -> bool:
        """Whether an activation function's module is running."""
        return bool(self.stack) and isinstance(self.stack[-1], _ACTIVATIONS)

    def name_of_call(self, function: str) -> str:
        """Return the name of a function that the running module calls."""
        owner = self.names[self.stack[-1]] if self.stack else ""
        return f"{owner}.{function}".lstrip(".")

    def before(self, name: str, part: nn.Module | None, inputs: tuple[Any, ...]) -> Call:
        """Take the input of an activation function; return its name and the layer's value that it belongs to."""
        name = self._numbered(name or "module")
        given = next((x for x in inputs if isinstance(x, torch.Tensor)), None)
        if given is None or not given.is_floating_point():
            return name, None
        origin = self._origin_of(given)
        if origin is not None:
            del self.origins[id(given)]
            return name, origin.source
        axes = Axes((given.dim(), given.shape[1]) in self.channels if given.dim() > 2 else False)
        samples = 0 if axes.channels_first else self._samples_axis(part)
        axes = replace(axes, samples=samples, follows_time_first=self.met_time_first)
        kind = type(part).__name__ if part is not None else name.rpartition(".")[2]
        self.observer(CapturedValue(name, "pre_activation", name, part, kind, True, given, axes))
        return name, _Source(name, axes)

    def after(self, call: Call, part: nn.Module | None, kind: str, function: Function, output: Any) -> None:
        """Take what an activation function returned."""
        name, source = call
        if source is None or not isinstance(output, torch.Tensor):
            return
        self.observer(CapturedValue(source.layer, "activation", name, part, kind, True, output, source.axes, function))

    def _take(self, part: nn.Module, output: Any) -> None:
        name, is_layer = self.names[part], _is_layer(part)
        numbered = self._numbered(name or "module")
        stem, _, call = numbered.partition(":")
        unfolded = list(unfold(part, output, self._samples_axis(part)))
        # What a container passes on is its last layer's.
        passed_on = {id(tensor) for _, tensor, _ in unfolded if self._origin_of(tensor) is not None}
        for suffix, tensor, axes in unfolded:
            layer = f"{stem}{suffix}" + (f":{call}" if call else "")
            if not axes.channels_first and tensor.dim() > 3 and (tensor.dim(), tensor.shape[1]) in self.channels:
                axes = replace(axes, channels_first=True)
            axes = replace(axes, follows_time_first=self.met_time_first)
            if axes.channels_first and tensor.dim() > 2:
                self.channels.add((tensor.dim(), tensor.shape[1]))
            is_new = is_layer and id(tensor) not in passed_on
            if is_new:
                self.origins[id(tensor)] = _Origin(weakref.ref(tensor), mark_of(tensor), _Source(layer, axes))
            self.observer(CapturedValue(layer, "output", numbered, part, type(part).__name__, is_new, tensor, axes))

    def _origin_of(self, tensor: torch.Tensor) -> _Origin | None:
        """Return where a tensor comes from, if it is as it was and no activation function has taken it yet."""
        origin = self.origins.get(id(tensor))
        if origin is None or origin.tensor() is not tensor:
            return None
        return origin if is_unchanged(tensor, origin.contents) else None

    def _numbered(self, name: str) -> str:
        self.calls[name] += 1
        return name if self.calls[name] == 1 else f"{name}:{self.calls[name] - 1}"

    def _samples_axis(self, part: nn.Module | None) -> int:
        name = self.names[part] if part is not None else self.name_of_call("")
        return int(any(not prefix or f"{name}.".startswith(f"{prefix}.") for prefix in self.time_first))


def _without(wrappers: set[str], name: str) -> str:
    """Return a name without what the compiler puts between names."""
    return ".".join(piece for piece in name.split(".") if piece not in wrappers)


def _is_layer(part: nn.Module) -> bool:
    own = any(True for _ in part.parameters(recurse=False)) or is_parametrized(part)
    return own or isinstance(part, NORM_LAYERS)


def _time_first(names: dict[nn.Module, str]) -> list[str]:
    """Return the beginnings of the names under which positions come before samples."""
    found = []
    for part, name in names.items():
        if getattr(part, "batch_first", True) is False:
            # A transformer's layer says so by its attention.
            found.append(name.rpartition(".")[0] if isinstance(part, nn.MultiheadAttention) else name)
    return found


@contextmanager
def capturing(module: nn.Module, observer: Observer) -> Iterator[Capture]:
    """Attach hooks to every module for the length of the block, and see functions that are called.

    Raises
    ------
    ModuleError
        If the module holds no layer with parameters and no activation function.
    """
    capture = Capture(module, observer)
    inside = {p for owner in module.modules() if isinstance(owner, ParametrizationList) for p in owner.modules()}
    parts = [part for part in module.modules() if part not in inside]
    if not any(_is_layer(part) or isinstance(part, _ACTIVATIONS) for part in parts):
        raise ModuleError(f"{type(module).__name__} has no layer with parameters and no activation function to capture")
    handles = []
    try:
        for part in parts:
            handles.append(part.register_forward_pre_hook(capture.enter, with_kwargs=True))
            handles.append(part.register_forward_hook(capture.leave, with_kwargs=True, always_call=True))
        with FunctionalActivations(capture):
            yield capture
    finally:
        for handle in handles:
            handle.remove()
