"""Predicted signals and gradients at every layer and operation of a network with random weights."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from initsk.network._batches import Batch
from initsk.network._gradient_rules import BackwardPropagation
from initsk.network._layouts import dense
from initsk.network._network_graph import NetworkGraph
from initsk.network._operations import Operation, ParameterUse, Source, tensors_in
from initsk.network._propagation import Propagation
from initsk.network._random_layers import Law, Sums, after_layer, share_of_pairs, sums_of
from initsk.theory import Signal
from initsk.utils.torch_settings import in_double

# Operations without weights that have a row of their own.
_SHOWN = ("sum", "elementwise product", "pooling", "attention", "concatenation", "softmax", "normalization", "product")


@dataclass(frozen=True)
class PredictedValues:
    """The predicted values at one position of a network.

    Attributes
    ----------
    layer : str
        Name of the module that computes the values; with the operation's name if it computes several.
    position : {"output", "pre_activation", "activation"}
    operation : str
        What computes the values: "linear", "add", "gelu".
    signal, gradient : Signal or None
        None if it is not known.
    unknown : str
        The first operation before these values whose effect is not known; empty if there is none.
    """

    layer: str
    position: str
    operation: str
    signal: Signal | None
    gradient: Signal | None
    unknown: str = ""


class WideNetwork:
    """A network with random weights, as the theory of wide networks describes it.

    Parameters
    ----------
    graph : NetworkGraph
        The network, read by a forward pass.
    distribution : callable
        Returns the `Distribution` of a parameter, given its use and the operation that uses it.
    batch : Batch or None, default=None
        The input: the mean, and the products of a unit's values at two positions and in two samples, are those of the
        batch. Without a batch, the values of an input are independent.
    square : float or None, default=None
        Mean square of the input; None takes that of the batch, or 1.
    """

    def __init__(
        self, graph: NetworkGraph, distribution: Law, batch: Batch | None = None, square: float | None = None
    ) -> None:
        self.graph = graph
        self._distribution = distribution
        self._sums: dict[int, Sums | None] = {}
        given = [] if batch is None else _different(tensors_in((batch.inputs, batch.keywords)))
        inputs = [operation for operation in graph.operations if operation.kind == "input"]
        self._given = {operation.number: tensor for operation, tensor in zip(inputs, given, strict=False)}
        self._square = square
        self.forward = Propagation(graph, self._of_input, self._after_layer, self._parameter, lambda _: None)
        self.forward.run()

    def backward(self, output_square: float) -> BackwardPropagation:
        """Return the gradients if those of the first output have the given mean square."""
        return BackwardPropagation(self.forward, self._sums_of).run(output_square)

    def values(self, output_square: float = 1.0) -> Iterator[PredictedValues]:
        """Yield the predicted values of each layer, activation function and other shown operation."""
        backward, operations = self.backward(output_square), self.graph.operations
        names = _names(self.graph)
        for operation in operations:
            if operation.number not in names:
                continue
            source = Source(operation.number)
            unknown = self._unknown(operation)
            places = names[operation.number]
            before = operation.variable or source
            for place, at in zip(places, (before, source)[-len(places) :], strict=True):
                signal, gradient = self.forward.signals.get(at), backward.gradients.get(at)
                yield PredictedValues(*place, _name(operation), signal, gradient, unknown)

    def _unknown(self, operation: Operation) -> str:
        number = self.forward.unknown.get(operation.number)
        if number is None:
            return ""
        first = self.graph.operations[number]
        return f"{first.name} in {first.module}" if first.module else first.name

    def _after_layer(self, operation: Operation, signals: list[Signal], propagation: Propagation) -> Any:
        return after_layer(operation, signals, propagation, self._distribution, self._sums_of(operation))

    def _sums_of(self, operation: Operation) -> Sums | None:
        """Return the sums of a layer, which both directions need."""
        if operation.number not in self._sums:
            self._sums[operation.number] = sums_of(operation, self.graph, self._distribution)
        return self._sums[operation.number]

    def _of_input(self, operation: Operation) -> Signal:
        values = self._given.get(operation.number)
        axes = self.forward.axes[Source(operation.number)]
        signal = Signal(1.0) if values is None else _measured(values.detach().cpu(), axes)
        if self._square is None or not operation.real[0] or not signal.square:
            return signal
        factor = self._square / signal.square
        return signal.affine((factor**0.5, factor))

    def _parameter(self, operation: Operation, tensor: torch.Tensor, use: ParameterUse) -> tuple[float, float]:
        found = self._distribution(operation, use)
        return found.mean, found.square


def _measured(values: torch.Tensor, axes: tuple[str, ...]) -> Signal:
    """Return the statistics of a batch; integers are described by how often two of them are equal."""
    if not (values.is_floating_point() or values.is_complex()):
        return Signal(1.0, between=share_of_pairs(values, axes), across=share_of_pairs(values.flatten(), axes[:1]))
    values = in_double(dense(values.abs() if values.is_complex() else values))
    labels = "".join({"sample": "s", "unit": "u", "position": "p"}[axis] for axis in axes)
    order = sorted(range(len(labels)), key=lambda axis: "supx".index(labels[axis]))
    counts = [1, 1, 1]
    for label, size in zip(labels, values.shape, strict=True):
        counts["sup".index(label)] *= size
    n_samples, _, n_positions = counts
    table = values.permute(order).reshape(counts)
    square, mean = float(table.square().mean()), float(table.mean())
    totals = table.sum(2)
    pairs = (totals.square() - table.square().sum(2)).mean() / max(n_positions * (n_positions - 1), 1)
    all_pairs = (totals.sum(0).square() - totals.square().sum(0)).mean()
    across = all_pairs / max(n_samples * (n_samples - 1) * n_positions**2, 1)
    signal = Signal(square, mean, float(pairs), float(across))
    if n_samples > 1 and square:
        signal = signal.varying(float(table.square().mean((1, 2)).var()) / square**2)
    return signal


def _different(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    return list({id(tensor): tensor for tensor in tensors}.values())


def _name(operation: Operation) -> str:
    if operation.activation is None:
        return operation.name
    return str(getattr(operation.activation, "__name__", operation.activation))


def _names(graph: NetworkGraph) -> dict[int, list[tuple[str, str]]]:
    """Return for each shown operation the layer and the position of its values; two for a function without a layer."""
    found: dict[int, list[tuple[str, str]]] = {}
    alone = Counter((operation.module, operation.call) for operation in graph.operations)
    used: Counter[str] = Counter()
    layers: dict[int, str] = {}
    inner = _inside_functions(graph)
    last = {(o.module, o.call): o.number for o in graph.operations if o.is_weighted}
    for operation in graph.operations:
        if not _is_shown(operation, graph) or operation.number in inner:
            continue
        call = operation.module, operation.call
        if operation.module and (last.get(call) == operation.number or alone[call] == 1):
            name, number = call
        else:
            # An inner layer of a module has the name of its weight.
            inner_name = f"{operation.module}.{_name(operation)}".lstrip(".")
            name = next(use.name for use in operation.uses) if operation.is_weighted else inner_name
            number = used[name]
            used[name] += 1
        name = f"{name}:{number}" if number else name
        if operation.activation is not None and operation.variable is not None:
            layer = _layer_before(graph, operation.variable, layers)
            if layer is not None:
                number, name = layer
                found[number] = [(name, "pre_activation")]
                found[operation.number] = [(name, "activation")]
                layers.pop(number)
                continue
        positions = ["output"] if operation.activation is None else ["pre_activation", "activation"]
        found[operation.number] = [(name, position) for position in positions]
        if operation.is_weighted or operation.kind == "normalization":
            layers[operation.number] = name
    return found


def _is_shown(operation: Operation, graph: NetworkGraph) -> bool:
    """Return whether an operation is a layer, a function, joins signals, or gives the output of the network."""
    if operation.kind in ("input", "output") or not any(operation.real):
        return False
    users = [graph.operations[number].kind for number in graph.users[operation.number]]
    if operation.is_weighted or operation.activation is not None or "output" in users:
        return True
    joins = len(operation.inputs) > 1 or operation.kind not in ("sum", "elementwise product", "concatenation")
    return not operation.constant and operation.kind in _SHOWN and joins


def _inside_functions(graph: NetworkGraph) -> set[int]:
    """Return the operations that compute a part of an activation function."""
    inside: set[int] = set()
    for operation in graph.operations:
        queue = list(operation.inputs) if operation.activation is not None else []
        while queue:
            source = queue.pop()
            if source != operation.variable and source.operation not in inside:
                inside.add(source.operation)
                queue += graph.operations[source.operation].inputs
    return inside


def _layer_before(graph: NetworkGraph, source: Source, layers: dict[int, str]) -> tuple[int, str] | None:
    """Return the layer whose output reaches a source through operations that keep its values."""
    operation = graph.operations[source.operation]
    while operation.number not in layers:
        if operation.kind not in ("reshape", "dropout") or len(operation.inputs) != 1:
            return None
        operation = graph.operations[operation.inputs[0].operation]
    return operation.number, layers[operation.number]
