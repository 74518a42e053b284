"""Reading a traced module: which activation follows a layer, and which layers form a residual branch."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import fx, nn

from initsk.network._activations import ACTIVATION_TYPES, activation_value
from initsk.network._spec import Branch
from initsk.network._state import NORM_LAYERS
from initsk.network._trace import ACTIVATION_NAMES, attributes_stay, function_of_first, trace
from initsk.network._view import AFFINE
from initsk.theory import OfMultiple

WEIGHTED = (*AFFINE, nn.RNNBase, nn.RNNCellBase, nn.Embedding, nn.EmbeddingBag, nn.MultiheadAttention)
_ADDITIONS = {"add", "iadd", "add_"}
_PRODUCTS = {"mul", "imul", "mul_"}


@dataclass(frozen=True)
class Context:
    """A layer's surroundings; the fields are those of `ParameterSpec`."""

    activation: Any = None
    place: str = "hidden"
    branch: Branch | None = None
    stack: tuple[str, int] | None = None
    depth: int = 0
    guessed: bool = False


def try_to_trace(module: nn.Module) -> fx.Graph | None:
    """Trace a module symbolically; None where its ``forward`` does not allow it."""
    try:
        with attributes_stay(module):
            return trace(module)
    except Exception:  # whatever a stranger's forward raises on symbols
        return None


@dataclass
class Reading:
    """What a graph says of the layers in it, by their name.

    Attributes
    ----------
    contexts : dict of str to Context
        Layers with weights and normalisations.
    n_branches : int
        Residual branches.
    lone_activation : object or None
        The first activation function, where the graph has no layers with weights.
    depth : int
        Layers with weights on the shortest way through.
    """

    contexts: dict[str, Context] = field(default_factory=dict)
    n_branches: int = 0
    lone_activation: Any = None
    depth: int = 0


def read_graph(graph: fx.Graph, root: nn.Module) -> Reading:
    """Read a traced graph."""
    return _GraphReader(graph, root).read()


class _GraphReader:
    """Sets of nodes are the bits of an integer, by their number in the graph, so that deep networks are read soon."""

    def __init__(self, graph: fx.Graph, root: nn.Module) -> None:
        self.nodes = list(graph.nodes)
        self.modules = dict(root.named_modules())
        self.bit = {node: 1 << number for number, node in enumerate(self.nodes)}
        self.before: dict[fx.Node, int] = {}
        for node in self.nodes:
            self.before[node] = 0
            for source in node.all_input_nodes:
                self.before[node] |= self.before[source] | self.bit[source]
        self.weighted = {node for node in self.nodes if self._is(node, WEIGHTED) or self._is_opaque(node)}
        self.all_weighted = self._set(self.weighted)
        self.feeding = 0
        for node in self.weighted:
            self.feeding |= self.before[node]

    def read(self) -> Reading:
        reading = Reading(depth=self._depth())
        branches = self._branches(reading)
        for node in filter(self.weighted.__contains__, self.nodes):
            context = Context(self._following(node), self._place(node), branches.get(node))
            name = str(node.target)
            reading.contexts[name] = context
            if self._is(node, (nn.MultiheadAttention,)):
                reading.contexts.update(attention_contexts(name, context))
        for node in self.nodes:
            if self._is(node, NORM_LAYERS):
                reading.contexts[str(node.target)] = Context(branch=branches.get(node))
        if not self.weighted:
            activations = [self._activation(node) for node in self.nodes]
            reading.lone_activation = next((found for found in activations if found is not None), None)
        return reading

    def _depth(self) -> int:
        """Return how many layers with weights there are on the shortest way through."""
        passed: dict[fx.Node, int] = {}
        for node in self.nodes:
            # Parameters and constants are no way in.
            ways = [passed[source] for source in node.all_input_nodes if source in passed]
            if node.op == "placeholder" or ways:
                passed[node] = min(ways, default=0) + (node in self.weighted)
        return max((passed.get(node, 0) for node in self.nodes if node.op == "output"), default=0)

    def _is(self, node: fx.Node, kinds: tuple[type, ...]) -> bool:
        return node.op == "call_module" and isinstance(self.modules[str(node.target)], kinds)

    def _is_opaque(self, node: fx.Node) -> bool:
        """Say whether a node is a module that tracing does not enter, with layers inside."""
        return node.op == "call_module" and any(True for _ in self.modules[str(node.target)].children())

    def _place(self, node: fx.Node) -> str:
        if not self.feeding & self.bit[node]:
            return "output"
        return "hidden" if self.before[node] & self.all_weighted else "input"

    def _activation(self, node: fx.Node) -> Any:
        """Return the activation function that a node computes, of a multiple where a number multiplies the signal."""
        found = self._function(node)
        source = node.all_input_nodes[0] if found is not None and node.all_input_nodes else None
        if source is None or getattr(source.target, "__name__", source.target) not in _PRODUCTS:
            return found
        factors = [value for value in source.args if isinstance(value, int | float)]
        return OfMultiple(found, float(factors[0])) if factors else found

    def _function(self, node: fx.Node) -> Any:
        if self._is(node, ACTIVATION_TYPES):
            return activation_value(self.modules[str(node.target)])
        name = str(getattr(node.target, "__name__", node.target)).rstrip("_")
        if node.op not in ("call_function", "call_method") or name not in ACTIVATION_NAMES:
            return None
        # What is random in training is not asked for; a slope that is learned is at its start.
        keywords = {key: value for key, value in node.kwargs.items() if key not in ("inplace", "training")}
        arguments = [*node.args[1:], *keywords.values()]
        if not arguments or any(isinstance(value, fx.Node) for value in arguments):
            return name
        return function_of_first(node.target, node.args[1:], keywords)

    def _following(self, node: fx.Node) -> Any:
        """Return the first activation function on the way to the next layers."""
        queue, seen = list(node.users), set()
        while queue:
            user = queue.pop(0)
            activation = self._activation(user)
            if activation is not None:
                return activation
            if user not in seen and user not in self.weighted:
                seen.add(user)
                queue.extend(user.users)
        return None

    def _branches(self, reading: Reading) -> dict[fx.Node, Branch]:
        """Find additions of a signal and what layers made of it; the innermost comes first."""
        found: dict[fx.Node, Branch] = {}
        taken = 0
        for node in self.nodes:
            name = getattr(node.target, "__name__", node.target)
            if name not in _ADDITIONS or len(node.all_input_nodes) != 2:
                continue
            sides = [self.before[source] | self.bit[source] for source in node.all_input_nodes]
            short, long = sorted(sides, key=self._count)
            if self._count(short & ~long) > 1 or self._count(long & ~short) <= self._count(short & ~long):
                continue
            inside = self._members(long & ~short & ~taken)
            weighted = [n for n in inside if n in self.weighted]
            if long & short and weighted:
                reading.n_branches += 1
                found.update(self._positions(inside, weighted))
                taken |= self._set(found)
        return found

    def _set(self, nodes: Iterable[fx.Node]) -> int:
        return sum(self.bit[node] for node in nodes)

    def _members(self, nodes: int) -> list[fx.Node]:
        """Return the nodes of a set, in order."""
        members = []
        while nodes:
            lowest = nodes & -nodes
            members.append(self.nodes[lowest.bit_length() - 1])
            nodes ^= lowest
        return members

    def _count(self, nodes: int) -> int:
        return (nodes & self.all_weighted).bit_count()

    def _positions(self, inside: list[fx.Node], weighted: list[fx.Node]) -> dict[fx.Node, Branch]:
        position: dict[fx.Node, int] = {}
        for node in inside:
            earlier = max((p for n, p in position.items() if self.before[node] & self.bit[n]), default=0)
            # Attention is two layers in sequence: its projections of the input, and of the output.
            steps = 2 if self._is(node, (nn.MultiheadAttention,)) else 1
            position[node] = earlier + (steps if node in weighted else 0)
        depth = max(position[node] for node in weighted)
        norms = {position[node] for node in inside if self._is(node, NORM_LAYERS)}
        kept = [n for n in inside if n in weighted or (self._is(n, NORM_LAYERS) and position[n] > 0)]
        return {node: Branch(0, depth, position[node], position[node] in norms) for node in kept}


def attention_contexts(name: str, context: Context) -> dict[str, Context]:
    """Split an attention layer's context between its input projections and its output projection."""
    branch = context.branch
    first = None if branch is None else Branch(branch.n_branches, branch.depth, branch.position - 1)
    return {
        name: Context(None, "hidden", first, context.stack),
        f"{name}.out_proj".lstrip("."): Context(context.activation, context.place, branch, context.stack),
    }
