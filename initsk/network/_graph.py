"""Symbolic traces of modules (torch.fx): each layer's activation function, place and residual branch."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import fx, nn

from initsk.network._activations import ACTIVATION_TYPES, ElementwiseFunction, activation_value
from initsk.network._layer_types import AFFINE, EMBEDDINGS, NORM_LAYERS
from initsk.network._spec import Branch
from initsk.theory import ACTIVATION_FUNCTIONS, OfMultiple
from initsk.utils.random import GLOBAL_STATE

#: Names of the functions and methods that are activation functions.
ACTIVATION_NAMES = set(ACTIVATION_FUNCTIONS) - {"identity", "linear"}
WEIGHTED = (*AFFINE, nn.RNNBase, nn.RNNCellBase, *EMBEDDINGS, nn.MultiheadAttention)


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


@contextmanager
def preserve_attributes(module: nn.Module) -> Iterator[None]:
    """Remove the constants and symbols that tracing has stored in modules, at the end of the block."""
    containers = [vars(part) for part in module.modules()]
    containers += [value for held in containers for value in held.values() if type(value) in (list, dict, set)]
    before = [(container, container.copy()) for container in containers]
    try:
        yield
    finally:
        for container, values in before:
            container.clear()
            (container.extend if isinstance(container, list) else container.update)(values)


def operation_name(node: fx.Node) -> str:
    """Return the name of the function or method that a node calls, without the underscore of in-place variants."""
    return str(getattr(node.target, "__name__", node.target)).rstrip("_")


def function_of_first(target: Callable[..., Any] | str, rest: Sequence[Any], keywords: dict[str, Any]) -> Any:
    """Return a function of the first argument of a call; `target` is a function or the name of a method."""
    return partial(_call, target, rest, keywords)


def _call(target: Callable[..., Any] | str, rest: Sequence[Any], keywords: dict[str, Any], x: Any) -> Any:
    return getattr(x, target)(*rest, **keywords) if isinstance(target, str) else target(x, *rest, **keywords)


@dataclass(frozen=True)
class Context:
    """A layer's surroundings; the fields are those of `ParameterSpec`."""

    activation: Any = None
    place: str = "hidden"
    branch: Branch | None = None
    stack: tuple[str, int] | None = None
    depth: int = 0
    guessed: bool = False


@dataclass
class Reading:
    """The surroundings of the layers in a module, or in a part of a module.

    Attributes
    ----------
    contexts : dict of str to Context
        Surroundings of the layers with weights and the normalizations, by name.
    n_branches : int
        Number of residual branches.
    lone_activation : object or None
        The first activation function of a part without layers with weights.
    depth : int
        Number of layers with weights on the shortest path.
    """

    contexts: dict[str, Context] = field(default_factory=dict)
    n_branches: int = 0
    lone_activation: Any = None
    depth: int = 0


def read_graph(module: nn.Module) -> Reading | None:
    """Trace a module and read its graph; return None if its ``forward`` cannot be traced."""
    try:
        with preserve_attributes(module):
            graph = trace(module)
    except Exception:  # a user's forward may raise anything for symbols
        return None
    return _GraphReader(graph, module).read()


class _GraphReader:
    """Reads a traced graph.

    A set of nodes is an integer whose bits are the nodes' numbers, so that reading a deep network takes little time.
    """

    def __init__(self, graph: fx.Graph, root: nn.Module) -> None:
        self.nodes = list(graph.nodes)
        self.modules = dict(root.named_modules())
        self.bit = {node: 1 << number for number, node in enumerate(self.nodes)}
        self.before: dict[fx.Node, int] = {}
        for node in self.nodes:
            self.before[node] = 0
            for source in node.all_input_nodes:
                self.before[node] |= self.before[source] | self.bit[source]
        self.weighted = {node for node in self.nodes if self._is(node, WEIGHTED) or self._has_parts(node)}
        self.all_weighted = self._set(self.weighted)
        self.feeding = 0
        for node in self.weighted:
            self.feeding |= self.before[node]

    def read(self) -> Reading:
        reading = Reading(depth=self._depth())
        branches = self._branches(reading)
        for node in self.nodes:
            name, branch = str(node.target), branches.get(node)
            if node in self.weighted:
                context = Context(self._following_activation(node), self._place(node), branch)
                attention = self._is(node, (nn.MultiheadAttention,))
                reading.contexts |= attention_contexts(name, context) if attention else {name: context}
            elif self._is(node, NORM_LAYERS):
                reading.contexts[name] = Context(branch=branch)
        if not self.weighted:
            activations = map(self._activation, self.nodes)
            reading.lone_activation = next((found for found in activations if found is not None), None)
        return reading

    def _depth(self) -> int:
        """Return the number of layers with weights on the shortest path from an input to an output."""
        passed: dict[fx.Node, int] = {}
        for node in self.nodes:
            # Parameters and constants are no inputs.
            counts = [passed[source] for source in node.all_input_nodes if source in passed]
            if node.op == "placeholder" or counts:
                passed[node] = min(counts, default=0) + (node in self.weighted)
        return max((passed.get(node, 0) for node in self.nodes if node.op == "output"), default=0)

    def _is(self, node: fx.Node, kinds: tuple[type, ...]) -> bool:
        return node.op == "call_module" and isinstance(self.modules[str(node.target)], kinds)

    def _has_parts(self, node: fx.Node) -> bool:
        """Return whether a node is a module with submodules, which tracing did not enter."""
        return node.op == "call_module" and any(True for _ in self.modules[str(node.target)].children())

    def _place(self, node: fx.Node) -> str:
        if not self.feeding & self.bit[node]:
            return "output"
        return "hidden" if self.before[node] & self.all_weighted else "input"

    def _activation(self, node: fx.Node) -> Any:
        """Return the activation function that a node computes, with a constant factor of its input."""
        function = self._function(node)
        source = node.all_input_nodes[0] if function is not None and node.all_input_nodes else None
        if source is None or operation_name(source) not in ("mul", "imul"):
            return function
        factors = [value for value in source.args if isinstance(value, int | float)]
        return OfMultiple(function, float(factors[0])) if factors else function

    def _function(self, node: fx.Node) -> Any:
        if self._is(node, ACTIVATION_TYPES):
            return activation_value(self.modules[str(node.target)])
        name = operation_name(node)
        if node.op not in ("call_function", "call_method") or name not in ACTIVATION_NAMES:
            return None
        # Without `training` a function is not random. A learned slope is taken at its initial value.
        keywords = {key: value for key, value in node.kwargs.items() if key not in ("inplace", "training")}
        arguments = [*node.args[1:], *keywords.values()]
        if not arguments or any(isinstance(value, fx.Node) for value in arguments):
            return name
        return function_of_first(node.target, node.args[1:], keywords)

    def _following_activation(self, node: fx.Node) -> Any:
        """Return the first activation function between a layer and the next layers."""
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
        """Find the additions of a signal and the output of layers that received it; inner branches come first."""
        branches: dict[fx.Node, Branch] = {}
        taken = 0
        for node in self.nodes:
            if operation_name(node) not in ("add", "iadd") or len(node.all_input_nodes) != 2:
                continue
            sides = [self.before[source] | self.bit[source] for source in node.all_input_nodes]
            short, long = sorted(sides, key=self._n_weighted)
            n_short, n_long = self._n_weighted(short & ~long), self._n_weighted(long & ~short)
            if n_short > 1 or n_long <= n_short:
                continue
            inside = self._members(long & ~short & ~taken)
            weighted = [member for member in inside if member in self.weighted]
            if long & short and weighted:
                reading.n_branches += 1
                branches |= self._positions(inside, weighted)
                taken |= self._set(branches)
        return branches

    def _set(self, nodes: Iterable[fx.Node]) -> int:
        return sum(self.bit[node] for node in nodes)

    def _members(self, nodes: int) -> list[fx.Node]:
        """Return the nodes of a set in order."""
        members = []
        while nodes:
            lowest = nodes & -nodes
            members.append(self.nodes[lowest.bit_length() - 1])
            nodes ^= lowest
        return members

    def _n_weighted(self, nodes: int) -> int:
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
    """Split an attention layer's context into those of its input projections and of its output projection."""
    branch = context.branch
    first = None if branch is None else Branch(branch.n_branches, branch.depth, branch.position - 1)
    return {
        name: Context(None, "hidden", first, context.stack),
        f"{name}.out_proj".lstrip("."): Context(context.activation, context.place, branch, context.stack),
    }
