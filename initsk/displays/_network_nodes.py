"""Nodes of the picture of a network: operations without reshapes, constants and arithmetic with numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from initsk.language import message
from initsk.network import SAMPLE, NetworkGraph, Operation, ParameterUse, Source, axes_of, size_along

_WORDS = {
    "product": message("linear"),
    "convolution": message("convolution"),
    "transposed convolution": message("transposed convolution"),
    "embedding": message("embedding"),
    "attention": message("attention"),
    "normalization": message("normalization"),
    "concatenation": message("concatenation"),
    "softmax": message("softmax"),
    "input": message("input"),
    "output": message("output"),
    "parameter": message("parameter"),
    "constant": message("constant"),
}
_SIGNS = {"sum": "+", "elementwise product": "*"}
_PRODUCT = message("matrix product")
# Kinds whose operations have a node wherever they stand; others have one if they join several signals.
_ALWAYS = ("input", "output", "attention", "normalization", "pooling", "softmax", "parameter")
_STATISTICS = ("pooling", "function", "sum", "elementwise product")


@dataclass
class Node:
    """One operation in the picture, or the same operation of several equal blocks.

    Attributes
    ----------
    kind : str
        Kind of the operation, as in `initsk.network.Operation`.
    label : str
        What it does, in English; a sign for sums and products.
    detail : str
        Size of the kernel of a convolution, as "3 x 3".
    name : str
        Name of the layer; "*" stands for the numbers of equal blocks.
    shape : tuple of int
        Shape of the result for one sample.
    inputs : list of int
        Positions of the nodes whose results it takes.
    shortcut : int or None
        The input that passes by a residual branch which ends here.
    parameters : list of str
        The parameters that it uses first.
    weight : str
        Its largest parameter, used here first or not; "" if it has none.
    filled_by : str
        The initializer of the weight, "kept", "left", or "" without a record or a weight.
    block : int or None
        Number of the folded block that it belongs to.
    n_repeats : int
        How many nodes of the network it stands for.
    """

    kind: str
    label: str
    detail: str = ""
    name: str = ""
    shape: tuple[int, ...] = ()
    inputs: list[int] = field(default_factory=list)
    shortcut: int | None = None
    parameters: list[str] = field(default_factory=list)
    weight: str = ""
    filled_by: str = ""
    block: int | None = None
    n_repeats: int = 1


def nodes_of(graph: NetworkGraph, filled_by: Mapping[str, str]) -> list[Node]:
    """Return the nodes of a network in the order of the forward pass; `filled_by` tells what filled each parameter."""
    return _Contraction(graph, filled_by).nodes()


class _Contraction:
    def __init__(self, graph: NetworkGraph, filled_by: Mapping[str, str]) -> None:
        self.graph, self.filled_by = graph, filled_by
        self.activations = graph.to_frame()["activation"].tolist()
        self.found: list[Node] = []
        #: The node that stands for the result of each operation; None for constants.
        self.place: list[int | None] = []
        self.used: set[str] = set()
        self.sizes: dict[str, int] = {}
        self.starts = {source.operation for source in graph.shortcuts.values()}
        # Parameters that are signals have a node of their own.
        signals = (operation for operation in graph.operations if operation.kind == "parameter")
        self.own_nodes = {use.name for operation in signals for use in operation.uses}
        self.axes = axes_of(graph)
        inputs = (o for o in graph.operations if o.kind == "input" and o.shape)
        self.n_samples = next((max(size_along(o.shape, self.axes[Source(o.number)], SAMPLE), 1) for o in inputs), 1)

    def nodes(self) -> list[Node]:
        for operation in self.graph.operations:
            places = (self.place[source.operation] for source in self.graph.signals(operation))
            inputs = list(dict.fromkeys(place for place in places if place is not None))
            if self._has_node(operation, inputs):
                self.place.append(len(self.found))
                self.found.append(self._node(operation, inputs))
            else:
                self.place.append(inputs[0] if inputs else None)
            place = self.place[-1]
            if place is not None:
                self._add_parameters(self.found[place], operation)
        output = self.found[-1]
        takers = [source for node in self.found[:-1] for source in node.inputs]
        # Of the results that the network also uses itself, only the first is drawn as an output.
        output.inputs = [source for source in output.inputs if source == output.inputs[0] or source not in takers]
        return _without_unused(self.found)

    def _has_node(self, operation: Operation, inputs: list[int]) -> bool:
        kind = operation.kind
        if kind in ("dropout", "reshape") or (kind != "input" and not any((*operation.real, kind == "output"))):
            return operation.is_weighted
        if kind == "constant":
            return operation.number in self.starts
        if kind == "normalization" and len(inputs) == 1 and self.found[inputs[0]].kind == kind:
            # A normalization that is written out takes several operations.
            return bool(operation.uses)
        own = kind in _ALWAYS or operation.is_weighted or operation.activation is not None or len(inputs) > 1
        return own or bool(operation.uses and not self._belongs_to_layer(operation, inputs))

    def _belongs_to_layer(self, operation: Operation, inputs: list[int]) -> bool:
        """Return whether parameters are the bias or the scale of the layer before, with a value for each unit."""
        sizes = [max((size for size in use.shape), default=1) == prod(use.shape) for use in operation.uses]
        if len(inputs) != 1 or not all(sizes):
            return False
        before = self.found[inputs[0]]
        return bool(before.weight) or before.kind == "normalization"

    def _node(self, operation: Operation, inputs: list[int]) -> Node:
        kind, label = operation.kind, self._label(operation)
        if kind == "normalization":
            inputs = [i for i in inputs if not (self.found[i].kind in _STATISTICS and self._is_statistic(i, inputs))]
        shortcut = self.graph.shortcuts.get(operation.number)
        return Node(
            "activation" if operation.activation is not None else kind, label, _kernel(operation), operation.module,
            self._shape(operation), inputs, None if shortcut is None else self.place[shortcut.operation],
        )  # fmt: skip

    def _shape(self, operation: Operation) -> tuple[int, ...]:
        """Return the shape for one sample; an axis with the rows of all samples keeps those of one."""
        axes = self.axes.get(Source(operation.number), ())
        found = []
        for size, axis in zip(operation.shape, axes, strict=False):
            rows, rest = divmod(size, self.n_samples)
            if axis != SAMPLE:
                found.append(size)
            elif size > 1 and (rest or rows > 1):
                found.append(size if rest else rows)
        return tuple(found)

    def _is_statistic(self, number: int, inputs: list[int]) -> bool:
        """Return whether a node is a statistic of another input, as the mean in a normalization is."""
        node = self.found[number]
        return not node.weight and set(node.inputs) <= set(inputs) - {number}

    def _label(self, operation: Operation) -> str:
        if operation.activation is not None:
            return str(self.activations[operation.number])
        if operation.kind in _SIGNS:
            return _SIGNS[operation.kind]
        if operation.kind == "product" and not operation.is_weighted:
            return _PRODUCT
        if operation.kind == "normalization" and operation.name.endswith("norm"):
            return operation.name.replace("_", " ")
        return _WORDS.get(operation.kind, operation.name.replace("_", " ").removesuffix("2d"))

    def _add_parameters(self, node: Node, operation: Operation) -> None:
        for use in operation.uses:
            if use.name not in self.used:
                self.used.add(use.name)
                node.parameters.append(use.name)
            if use.name in self.own_nodes and node.kind != "parameter":
                continue
            size = _importance(use)
            if size > self.sizes.get(node.weight, -1) or not node.weight:
                node.weight, node.filled_by = use.name, self.filled_by.get(use.name, "")
                node.name = use.name.rpartition(".")[0] or use.name
            self.sizes[use.name] = max(size, self.sizes.get(use.name, 0))


def _importance(use: ParameterUse) -> int:
    """Return the size of a parameter; what is only added or scales counts less than any weight."""
    main = use.how in ("multiplies", "looked up", "recurrent")
    return prod(use.shape) * (10**12 if main else 1)


def _kernel(operation: Operation) -> str:
    if "convolution" not in operation.kind:
        return ""
    weights = [use.shape for use in operation.uses if use.how == "multiplies"]
    return " x ".join(map(str, weights[0][2:])) if weights else ""


def _without_unused(nodes: list[Node]) -> list[Node]:
    """Leave out nodes without parameters whose results no node takes, as masks."""
    used = [False] * len(nodes)
    for number in reversed(range(len(nodes))):
        node = nodes[number]
        used[number] |= node.kind == "output" or bool(node.parameters)
        for source in node.inputs if used[number] else ():
            used[source] = True
    return selected(nodes, [number for number, is_used in enumerate(used) if is_used])


def selected(nodes: list[Node], numbers: list[int]) -> list[Node]:
    """Return some of the nodes, with the positions of their inputs among them."""
    position = {number: place for place, number in enumerate(numbers)}
    kept = [nodes[number] for number in numbers]
    for node in kept:
        node.inputs = [position[source] for source in node.inputs if source in position]
        node.shortcut = None if node.shortcut is None else position[node.shortcut]
    return kept
