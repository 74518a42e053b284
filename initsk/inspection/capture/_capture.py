"""Capture of each value that a module computes, at the moment of its computation."""

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
from initsk.network import ACTIVATION_TYPES, NORM_LAYERS, clean_names
from initsk.utils.torch_settings import is_unchanged, mark_of

Function = Callable[[torch.Tensor], torch.Tensor]
# Many networks contain an Identity as a placeholder, which is not meant as an activation function.
_ACTIVATIONS = tuple(kind for kind in ACTIVATION_TYPES if kind is not nn.Identity)


@dataclass(frozen=True)
class CapturedValue:
    """A tensor that a module or a function has computed, with its layer and position.

    Parameters
    ----------
    layer : str
        Name of the layer that the tensor belongs to, with the number of the call after the first (``fc:1``).
    position : str
        "output" of a layer; "pre_activation" and "activation" before and after an activation function.
    module : str
        Name of the module or function that computed the tensor.
    part : torch.nn.Module or None
        The module; None for a function.
    kind : str
        The module's class, or the function's name.
    is_layer : bool
        Whether `part` has parameters, is a normalization layer, or is an activation function. Inspections take other
        modules only if the user chooses them.
    tensor : tensor
        The values.
    axes : Axes
        The meaning of the tensor's axes.
    function : callable or None
        The activation function that computed the tensor.
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


class _Source(NamedTuple):
    """The layer that an activation function's input belongs to."""

    layer: str
    axes: Axes


class _LayerOutput(NamedTuple):
    """A layer's output, with a mark of its values that reveals a later change of the tensor."""

    tensor: "weakref.ref[torch.Tensor]"
    mark: Any
    source: _Source


# The name of an activation function's call, and its source; None if its input is not a tensor of real numbers.
ActivationCall = tuple[str, _Source | None]


class Capture:
    """Turn calls of modules and functions in a forward pass into captured values.

    Parameters
    ----------
    module : torch.nn.Module
        The module that runs.
    on_value : callable
        Called with each `CapturedValue`, in the order of the forward pass.
    """

    def __init__(self, module: nn.Module, on_value: Callable[[CapturedValue], None]) -> None:
        self.on_value = on_value
        clean = clean_names(module)
        self.names = {part: clean[name] for name, part in module.named_modules()}
        self.time_first_prefixes = _time_first_prefixes(self.names)
        self.start_pass()

    def start_pass(self) -> None:
        """Forget the previous forward pass; call this before each one."""
        self.call_counts: Counter[str] = Counter()
        self.layer_outputs: dict[int, _LayerOutput] = {}
        # Dimensions and channels of tensors whose second axis is known to count channels.
        self.channels_first_shapes: set[tuple[int, int]] = set()
        self.running_parts: list[nn.Module] = []
        self.in_forward_pass = True
        self.ignores_functions = False
        self.follows_time_first = False
        self.running_activations: list[ActivationCall] = []

    def before_module(self, part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Register the call of a module; a forward pre-hook."""
        if not self.in_forward_pass:
            # Checkpointed parts are computed again for the backward pass.
            return
        with self._functions_ignored():
            if isinstance(part, _ACTIVATIONS) and not self.in_activation:
                call = self.take_activation_input(self.names[part], part, (*args, *kwargs.values()))
                self.running_activations.append(call)
            self.running_parts.append(part)
            self.follows_time_first |= bool(self._samples_axis(part))

    def after_module(self, part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """Capture the output of a module; a forward hook."""
        if not self.in_forward_pass:
            return
        with self._functions_ignored():
            self.running_parts.pop()
            if self.in_activation:
                return
            if isinstance(part, _ACTIVATIONS):
                function = partial(type(part).forward, part)
                call = self.running_activations.pop()
                self.take_activation_output(call, part, type(part).__name__, function, output)
            else:
                self._take_module_output(part, output)
            self.in_forward_pass = bool(self.running_parts)

    @contextmanager
    def _functions_ignored(self) -> Iterator[None]:
        """Capture no functions that the block calls."""
        before, self.ignores_functions = self.ignores_functions, True
        try:
            yield
        finally:
            self.ignores_functions = before

    @property
    def in_activation(self) -> bool:
        """Whether the innermost running module is an activation function."""
        return bool(self.running_parts) and isinstance(self.running_parts[-1], _ACTIVATIONS)

    def name_of_call(self, function: str) -> str:
        """Return the name of a function that the running module calls."""
        owner = self.names[self.running_parts[-1]] if self.running_parts else ""
        return f"{owner}.{function}".lstrip(".")

    def take_activation_input(self, name: str, part: nn.Module | None, inputs: tuple[Any, ...]) -> ActivationCall:
        """Capture the input of an activation function unless it is a layer's output; return the call and its source."""
        name = self._with_call_number(name or "module")
        given = next((x for x in inputs if isinstance(x, torch.Tensor)), None)
        if given is None or not given.is_floating_point():
            return name, None
        source = self._layer_of(given)
        if source is not None:
            del self.layer_outputs[id(given)]
            return name, source
        axes = Axes((given.dim(), given.shape[1]) in self.channels_first_shapes if given.dim() > 2 else False)
        samples = 0 if axes.channels_first else self._samples_axis(part)
        axes = replace(axes, samples=samples, follows_time_first=self.follows_time_first)
        kind = type(part).__name__ if part is not None else name.rpartition(".")[2]
        self.on_value(CapturedValue(name, "pre_activation", name, part, kind, True, given, axes))
        return name, _Source(name, axes)

    def take_activation_output(
        self, call: ActivationCall, part: nn.Module | None, kind: str, function: Function, output: Any
    ) -> None:
        """Capture the output of an activation function under the layer of its input."""
        name, source = call
        if source is None or not isinstance(output, torch.Tensor):
            return
        self.on_value(CapturedValue(source.layer, "activation", name, part, kind, True, output, source.axes, function))

    def _take_module_output(self, part: nn.Module, output: Any) -> None:
        name, is_layer = self.names[part], _is_layer(part)
        numbered = self._with_call_number(name or "module")
        stem, _, call = numbered.partition(":")
        unfolded = list(unfold(part, output, self._samples_axis(part)))
        # A container often returns the output of its last layer, which is captured already.
        passed_on = {id(tensor) for _, tensor, _ in unfolded if self._layer_of(tensor) is not None}
        for suffix, tensor, axes in unfolded:
            layer = f"{stem}{suffix}" + (f":{call}" if call else "")
            shape = (tensor.dim(), tensor.shape[1]) if tensor.dim() > 2 else None
            if tensor.dim() > 3 and shape in self.channels_first_shapes:
                axes = replace(axes, channels_first=True)
            axes = replace(axes, follows_time_first=self.follows_time_first)
            if axes.channels_first and shape is not None:
                self.channels_first_shapes.add(shape)
            is_new = is_layer and id(tensor) not in passed_on
            if is_new:
                source = _Source(layer, axes)
                self.layer_outputs[id(tensor)] = _LayerOutput(weakref.ref(tensor), mark_of(tensor), source)
            self.on_value(CapturedValue(layer, "output", numbered, part, type(part).__name__, is_new, tensor, axes))

    def _layer_of(self, tensor: torch.Tensor) -> _Source | None:
        """Return the layer whose output a tensor is, unless it has changed or an activation function has taken it."""
        output = self.layer_outputs.get(id(tensor))
        if output is None or output.tensor() is not tensor or not is_unchanged(tensor, output.mark):
            return None
        return output.source

    def _with_call_number(self, name: str) -> str:
        self.call_counts[name] += 1
        return name if self.call_counts[name] == 1 else f"{name}:{self.call_counts[name] - 1}"

    def _samples_axis(self, part: nn.Module | None) -> int:
        """Return 1 inside modules whose inputs have time as the first axis, otherwise 0."""
        name = self.names[part] if part is not None else self.name_of_call("")
        return int(any(not prefix or f"{name}.".startswith(f"{prefix}.") for prefix in self.time_first_prefixes))


def _is_layer(part: nn.Module) -> bool:
    own = any(True for _ in part.parameters(recurse=False)) or is_parametrized(part)
    return own or isinstance(part, NORM_LAYERS)


def _time_first_prefixes(names: dict[nn.Module, str]) -> list[str]:
    """Return the names of the modules whose inputs have time as the first axis and samples as the second."""
    found = []
    for part, name in names.items():
        if getattr(part, "batch_first", True) is False:
            # Only the attention of a transformer's layer has the attribute; it holds for the whole layer.
            found.append(name.rpartition(".")[0] if isinstance(part, nn.MultiheadAttention) else name)
    return found


@contextmanager
def capture_values(module: nn.Module, on_value: Callable[[CapturedValue], None]) -> Iterator[Capture]:
    """Call `on_value` with each value that the module computes inside the block.

    Hooks on every module capture outputs of modules, and a torch function mode captures activation functions that
    are called as functions. The block calls `Capture.start_pass` before each forward pass.

    Raises
    ------
    ModuleError
        If the module has no layer with parameters and no activation function.
    """
    capture = Capture(module, on_value)
    inside = {p for owner in module.modules() if isinstance(owner, ParametrizationList) for p in owner.modules()}
    parts = [part for part in module.modules() if part not in inside]
    if not any(_is_layer(part) or isinstance(part, _ACTIVATIONS) for part in parts):
        raise ModuleError(f"{type(module).__name__} has no layer with parameters and no activation function to capture")
    handles = []
    try:
        for part in parts:
            handles.append(part.register_forward_pre_hook(capture.before_module, with_kwargs=True))
            handles.append(part.register_forward_hook(capture.after_module, with_kwargs=True, always_call=True))
        with FunctionalActivations(capture):
            yield capture
    finally:
        for handle in handles:
            handle.remove()
