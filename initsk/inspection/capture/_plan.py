"""Plan of an inspection: the layers and positions of a network, from one reading of its forward pass."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from initsk.inspection.capture._place import Place, Plan
from initsk.inspection.capture._products import OwnProduct, find_products
from initsk.inspection.capture._trace import Trace
from initsk.inspection.capture._unfold import Axes, unfold
from initsk.network import CompletedFunction, Operation, PassReading, Source


class Output(NamedTuple):
    """A tensor in the output of a module: the suffix of its name, its source, its axes and its shape."""

    suffix: str
    source: Source | None
    axes: Axes
    shape: tuple[int, ...]


@dataclass
class Exit:
    """The end of a call of a module."""

    step: int
    part: nn.Module
    path: str
    call: int
    outputs: list[Output]


@dataclass
class _Layer:
    """A layer whose output an activation function may take."""

    name: str
    axes: Axes
    size: int
    is_activated: bool = False


class PlanMaker:
    """Make a `Plan` from the reading of one forward pass; see `make`.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    names : dict of torch.nn.Module to str
        The name of each part.
    """

    def __init__(self, module: nn.Module, names: dict[nn.Module, str]) -> None:
        self.module = module
        self.names = names
        self.parts = {name: part for part, name in names.items()}
        self.time_first_prefixes = _time_first_prefixes(names)
        self.start()

    def start(self) -> Callable[..., None]:
        """Forget earlier attempts to run the network, and return `on_leave`."""
        self.n_calls: Counter[str] = Counter()
        self.exits: list[Exit] = []
        return self.on_leave

    def on_leave(
        self, step: int, part: nn.Module, output: Any, source_of: Callable[[torch.Tensor], Source | None]
    ) -> None:
        """Note the output of a module; see `read_pass`."""
        path = self.names[part]
        outputs = [
            Output(suffix, source_of(tensor), axes, () if tensor.is_nested else tuple(tensor.shape))
            for suffix, tensor, axes in unfold(part, output, self.samples_axis(path))
        ]
        self.exits.append(Exit(step, part, path, self.n_calls[path], outputs))
        self.n_calls[path] += 1

    def samples_axis(self, name: str) -> int:
        """Return 1 inside modules whose inputs have time as the first axis, otherwise 0."""
        return int(any(not prefix or f"{name}.".startswith(f"{prefix}.") for prefix in self.time_first_prefixes))

    def make(self, reading: PassReading) -> Plan:
        """Return the plan of the forward pass whose reading called `on_leave`."""
        return _Planning(self, reading).run()


class _Planning:
    """One walk through the steps of a forward pass, in order."""

    def __init__(self, maker: PlanMaker, reading: PassReading) -> None:
        self.maker = maker
        self.plan = Plan(reading.steps)
        self.trace = Trace(reading.graph)
        self.operations = reading.graph.operations
        self.calls: Counter[str] = Counter()
        self.layers: dict[Source, _Layer] = {}
        # Dimensions and channels of tensors whose second axis is known to count channels.
        self.channels_first_shapes: set[tuple[int, int]] = set()
        self.follows_time_first = False
        exits = {(exit_.path, exit_.call): exit_ for exit_ in maker.exits}
        outputs = {call: [o.source for o in found.outputs if o.source] for call, found in exits.items()}
        self.products = find_products(reading.graph, maker.module, maker.parts, outputs, self.trace)
        self.own = {product.value: product for product in self.products}

    def run(self) -> Plan:
        exits = {exit_.step: exit_ for exit_ in self.maker.exits}
        called = {operation.step: operation for operation in self.operations if operation.step >= 0}
        for step in range(len(self.plan.steps)):
            if step in exits:
                self._add_outputs(exits[step])
            elif step in called:
                self._add_call(called[step])
        return self.plan

    def _add_call(self, operation: Operation) -> None:
        product = self.own.get(Source(operation.number))
        if product is not None:
            self._add_product(product, operation)
        if operation.completed is not None and not operation.constant:
            self._add_function(operation, operation.completed)

    def _add_product(self, product: OwnProduct, operation: Operation) -> None:
        name = self._with_call_number(product.name or "module")
        channels_first = bool(product.operation.channels_first) and len(operation.shape) > 2
        axes = self._axes(product.owner_path, operation.shape, channels_first)
        kind = type(product.owner).__name__
        self._add_layer(Source(operation.number), name, axes, operation.shape)
        self.plan.results[operation.step] = Place(name, "output", name, product.owner, kind, True, axes)

    def _add_function(self, operation: Operation, function: CompletedFunction) -> None:
        name = operation.module if function.by_module else f"{operation.module}.{function.name}".lstrip(".")
        name = self._with_call_number(name or "module")
        part = self.maker.parts[operation.module] if function.by_module else None
        layer = self._layer_of(function.variable)
        if layer is None:
            variable = self.operations[function.variable.operation]
            shape = variable.shapes[function.variable.output]
            channels_first = len(shape) > 2 and (len(shape), shape[1]) in self.channels_first_shapes
            axes = self._axes(operation.module, shape, channels_first)
            place = Place(name, "pre_activation", name, part, function.name, True, axes)
            first = self.operations[function.first]
            number = _number_of(function.variable, first)
            if number is not None:
                self.plan.arguments.setdefault(first.step, []).append((number, place))
            layer = _Layer(name, axes, 0)
        else:
            layer.is_activated = True
        axes = self._reshaped(layer, function.variable, operation)
        self.plan.results[operation.step] = Place(
            layer.name, "activation", name, part, function.name, True, axes, function.function
        )

    def _layer_of(self, variable: Source) -> _Layer | None:
        """Return the layer that feeds an activation function, unless another function has taken its output.

        A function that takes a part of the output belongs to the layer if it is the only one.
        """
        found = self._nearest(variable)
        if found is None:
            return None
        source, layer = found
        if layer.is_activated:
            return None
        shape = self.operations[variable.operation].shapes[variable.output]
        is_part = torch.Size(shape).numel() < layer.size
        return None if is_part and self.trace.n_functions(source) > 1 else layer

    def _nearest(self, source: Source) -> tuple[Source, _Layer] | None:
        return next(((s, self.layers[s]) for s in self.trace.back(source) if s in self.layers), None)

    def _reshaped(self, layer: _Layer, variable: Source, operation: Operation) -> Axes:
        """Return the axes of an activation: those of the layer unless operations between them rearrange the values."""
        between = takewhile(lambda source: source not in self.layers, self.trace.back(variable))
        parts = [self.operations[source.operation] for source in between]
        if not layer.size or not any(part.kind == "reshape" and part.name not in _KEEP_AXES for part in parts):
            return layer.axes
        shape = operation.shape
        channels_first = len(shape) > 2 and (len(shape), shape[1]) in self.channels_first_shapes
        return self._axes(operation.module, shape, channels_first)

    def _add_outputs(self, exit_: Exit) -> None:
        part, path = exit_.part, exit_.path
        if any(self._is_of_activation(output, path) for output in exit_.outputs):
            return
        numbered = self._with_call_number(path or "module")
        stem, _, call = numbered.partition(":")
        places = self.plan.outputs[exit_.step] = {}
        new = [self._is_new_layer(exit_, output) for output in exit_.outputs]
        for output, is_layer in zip(exit_.outputs, new, strict=True):
            name = f"{stem}{output.suffix}" + (f":{call}" if call else "")
            axes = self._axes_of_output(output, path)
            places[output.suffix] = Place(name, "output", numbered, part, type(part).__name__, is_layer, axes)
            if is_layer and output.source is not None:
                self._add_layer(output.source, name, axes, output.shape)

    def _is_of_activation(self, output: Output, path: str) -> bool:
        operation = None if output.source is None else self.operations[output.source.operation]
        completed = None if operation is None else operation.completed
        return completed is not None and completed.by_module and operation is not None and operation.module == path

    def _is_new_layer(self, exit_: Exit, output: Output) -> bool:
        """Return whether a module's output is the output of a layer, and of no other layer."""
        source = output.source
        if source is None or self.operations[source.operation].constant:
            return False
        own = any(True for _ in exit_.part.parameters(recurse=False)) or is_parametrized(exit_.part)
        is_leaf = next(exit_.part.children(), None) is None
        if not own and not (is_leaf and self.operations[source.operation].kind == "normalization"):
            return False
        if any(s in self.layers for s in self.trace.unchanged(source)):
            return False
        ends = {s for s in self.trace.through_functions(source) if s in self.own}
        return not any((self.own[s].path, self.own[s].call) == (exit_.path, exit_.call) for s in ends)

    def _add_layer(self, source: Source, name: str, axes: Axes, shape: tuple[int, ...]) -> None:
        self.layers[source] = _Layer(name, axes, torch.Size(shape).numel())

    def _axes_of_output(self, output: Output, path: str) -> Axes:
        shape = output.shape
        known = next((self.operations[s.operation] for s in self.trace.unchanged(output.source)), None)
        channels_first = None if known is None else known.channels_first
        if channels_first is None:
            channels_first = len(shape) > 3 and (len(shape), shape[1]) in self.channels_first_shapes
        axes = output.axes
        if channels_first and not axes.has_heads:
            n_axes = {"1d": 3, "2d": 4, "3d": 5}.get("" if known is None else known.name[-2:], 0)
            is_one_sample = known is not None and "convolution" in known.kind and len(shape) == n_axes - 1
            axes = replace(axes, channels_first=True, samples=0, is_one_sample=is_one_sample)
        return self._noted(axes, path, shape)

    def _axes(self, path: str, shape: tuple[int, ...], channels_first: bool) -> Axes:
        samples = 0 if channels_first else self.maker.samples_axis(path)
        return self._noted(Axes(channels_first, samples), path, shape)

    def _noted(self, axes: Axes, path: str, shape: tuple[int, ...]) -> Axes:
        self.follows_time_first |= bool(self.maker.samples_axis(path))
        if axes.channels_first and len(shape) > 2 and not axes.is_one_sample:
            self.channels_first_shapes.add((len(shape), shape[1]))
        return replace(axes, follows_time_first=self.follows_time_first)

    def _with_call_number(self, name: str) -> str:
        self.calls[name] += 1
        return name if self.calls[name] == 1 else f"{name}:{self.calls[name] - 1}"


# Rearrangements that leave each axis where it is.
_KEEP_AXES = {"identity", "contiguous", "clone", "detach", "to", "float", "double", "half", "bfloat16", "type", "alias"}


def _number_of(variable: Source, operation: Operation) -> int | None:
    """Return the number of an argument among the tensors of a call."""
    found = list(_leaves([operation.arguments, operation.keywords]))
    return found.index(variable) if variable in found else None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Source):
        yield value
    elif isinstance(value, torch.Tensor):
        yield None
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, dict):
        yield from _leaves(list(value.values()))


def _time_first_prefixes(names: dict[nn.Module, str]) -> list[str]:
    """Return the names of the modules whose inputs have time as the first axis and samples as the second."""
    found = []
    for part, name in names.items():
        if getattr(part, "batch_first", True) is False:
            # Only the attention of a transformer's layer has the attribute; it holds for the whole layer.
            found.append(name.rpartition(".")[0] if isinstance(part, nn.MultiheadAttention) else name)
    return found
