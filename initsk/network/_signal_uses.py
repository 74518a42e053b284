"""Find the sums, products and conditions before and after each layer of a graph."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from initsk.exceptions import InvalidParameterError
from initsk.network._operations import Operation, Source, words
from initsk.theory import Signal, as_function, cached
from initsk.utils.cached import cached_property

if TYPE_CHECKING:
    from initsk.network._network_graph import NetworkGraph

_SUMS = words("index_add scatter_add sum")
_KEEPS = ("reshape", "dropout")
# Functions of limited values for the arguments that occur in networks.
_BOUNDED = words("softmax sigmoid tanh exp sin cos sign hardtanh hardsigmoid softsign erf")
_SQUARES = words("square relu_squared")


@dataclass(frozen=True)
class SignalUse:
    """How a layer's input was made, and what its output does.

    Attributes
    ----------
    summed : float
        Root of the factor by which sums over values that differ, such as the neighbours of a node, have made the mean
        square of the layer's input larger, since the last layer or normalization.
    degree : int
        Highest degree of the products of signals that the layer's output enters before a normalization: 1 without
        products, 2 for a gated unit.
    modulates : bool
        Whether the output only modulates the signal by a condition, a function of other inputs: it multiplies a signal
        by one plus itself, gates a residual branch, or shifts such a product.
    normalized : bool
        Whether a normalization follows before the next layer or the network's output.
    after_states : bool
        Whether the layer takes the states of a recurrent layer, which are small at the start.
    unscaled_scores : int
        Number of products that attention sums to a score of this query without dividing; 0 for other layers.
    head_factor : float
        For a table that a head shares: the number by which the network multiplies the input of the head.
    feeds : {"layer", "scores", ""}
        For rows of a table: whether they reach a layer as they are, or are added to the scores of attention.
    """

    summed: float = 1.0
    degree: int = 1
    modulates: bool = False
    normalized: bool = False
    after_states: bool = False
    unscaled_scores: int = 0
    head_factor: float = 1.0
    feeds: str = ""


#: The use of a layer of which nothing is known.
UNKNOWN_USE = SignalUse()


class SignalUses:
    """The uses of signals around each layer of a graph.

    Parameters
    ----------
    graph : NetworkGraph
    """

    def __init__(self, graph: "NetworkGraph") -> None:
        self.graph = graph
        self.operations = graph.operations

    def of(self, layer: Operation) -> SignalUse:
        """Return the use of the signals of an operation with weights."""
        looks_up = any(use.how == "looked up" for use in layer.uses)
        return SignalUse(
            max((self._amplitudes[s][0] for s in self._real(layer)), default=1.0),
            self._degree_after[layer.number],
            layer.number in self._modulating,
            any(end.kind == "normalization" for end in self._ends(layer)),
            any(self._source_of(source).kind == "recurrence" for source in self._real(layer)),
            self._queries.get(layer.number, 0),
            self._head_factor(layer) if looks_up else 1.0,
            self._feeds(layer) if looks_up else "",
        )

    def _real(self, operation: Operation) -> list[Source]:
        return [s for s in operation.inputs if self.operations[s.operation].real[s.output]]

    def _signals(self, operation: Operation) -> list[Source]:
        """Return the inputs that depend on the input of the network."""
        return [s for s in self._real(operation) if not self.operations[s.operation].constant]

    def _users(self, operation: Operation) -> Iterator[Operation]:
        return (self.operations[number] for number in self.graph.users[operation.number])

    def _ends(self, layer: Operation) -> list[Operation]:
        """Return the operations that take a layer's output, behind those that only rearrange it."""
        return [end for _, end in self._paths(layer)]

    def _paths(self, layer: Operation) -> list[tuple[Operation, Operation]]:
        """Return the operations that take a layer's output, each after the one that gives it."""
        found, waiting, seen = [], [layer], {layer.number}
        while waiting:
            current = waiting.pop()
            for user in self._users(current):
                if user.kind not in _KEEPS:
                    found.append((current, user))
                elif user.number not in seen:
                    seen.add(user.number)
                    waiting.append(user)
        return found

    @cached_property
    def _amplitudes(self) -> dict[Source, tuple[float, float]]:
        """For each result the root of its growth by sums, and the correlation of its values that are summed next."""
        found: dict[Source, tuple[float, float]] = {}
        for operation in self.operations:
            value = self._amplitude(operation, [found[s] for s in self._real(operation)]) if self._sums else (1.0, 0.0)
            found.update((Source(operation.number, position), value) for position in range(len(operation.shapes)))
        return found

    @cached_property
    def _sums(self) -> dict[int, float]:
        """The operations that add values of equal weight up, with the number of values."""
        counts = {o.number: self._n_summed(o) for o in self.operations if o.name in _SUMS and self._real(o)}
        return {number: n for number, n in counts.items() if n > 1}

    def _amplitude(self, operation: Operation, before: list[tuple[float, float]]) -> tuple[float, float]:
        correlation = max((shared for _, shared in before), default=0.0)
        if operation.activation is not None:
            correlation = _correlation_after(operation.activation, round(correlation, 2))
        roots = [root for root, _ in before]
        divides = operation.name in ("div", "rdiv") and len(before) > 1
        ends = operation.is_weighted or operation.kind in ("normalization", "softmax", "attention")
        if ends or divides or not roots:
            return 1.0, correlation
        if operation.number in self._sums:
            n = self._sums[operation.number]
            growth = 1 + (n - 1) * correlation
            # Sums over n neighbours have n times the correlation of the values, and their sizes have grown.
            return max(roots) * (n * growth) ** 0.5, n * correlation / growth
        if operation.kind == "sum" and max(roots) > 1:
            squares = sum(root * root for root in roots)
            return (squares + correlation * (sum(roots) ** 2 - squares)) ** 0.5, correlation
        return max(roots), correlation

    def _n_summed(self, operation: Operation) -> float:
        """Return how many values of equal weight a value of a sum has on average; 1 for a weighted sum."""
        source = max(self._real(operation), key=lambda s: prod(self.graph.shape(s)))
        inner = self._source_of(source)
        if inner.kind in ("elementwise product", "softmax") or operation.shape[-1:] != self.graph.shape(source)[-1:]:
            return 1.0
        return max(prod(self.graph.shape(source)) / max(prod(operation.shape), 1), 1.0)

    @cached_property
    def _degrees(self) -> list[int]:
        """For each operation the degree of its result as a product of signals."""
        found: list[int] = []
        for operation in self.operations:
            before = [found[s.operation] for s in self._signals(operation)]
            found.append(self._degree(operation, before))
        return found

    def _degree(self, operation: Operation, before: list[int]) -> int:
        if operation.kind == "input":
            return 1
        if not before or operation.name in _BOUNDED or operation.kind == "softmax":
            return 0
        if operation.number in self._modulating:
            return 0
        if operation.activation is not None:
            return 0 if _is_bounded(operation.activation) else max(before) * (1 + (operation.name in _SQUARES))
        if operation.kind in ("normalization", "recurrence"):
            return 1
        if operation.kind == "attention":
            return before[-1]
        multiplies = operation.name == "mul" or (operation.kind == "product" and not operation.is_weighted)
        if multiplies and len(before) > 1:
            return sum(before)
        return max(before) * (2 if operation.name in _SQUARES or (multiplies and _is_square(operation)) else 1)

    @cached_property
    def _degree_after(self) -> list[int]:
        """For each operation the highest degree of the products that its result enters before a normalization."""
        found = [1] * len(self.operations)
        for operation in reversed(self.operations):
            own = self._degrees[operation.number] if self._is_product(operation) else 1
            reached = max(own, found[operation.number])
            if operation.kind == "normalization":
                continue
            for source in self._signals(operation):
                found[source.operation] = max(found[source.operation], reached)
        return found

    def _is_product(self, operation: Operation) -> bool:
        return len(self._signals(operation)) > 1 and (
            operation.name == "mul" or (operation.kind == "product" and not operation.is_weighted)
        )

    @cached_property
    def _inputs(self) -> list[int]:
        """For each operation the inputs of the network that reach it, as the bits of an integer."""
        found: list[int] = []
        for operation in self.operations:
            reached = 1 << operation.number if operation.kind == "input" else 0
            for source in operation.inputs:
                reached |= found[source.operation]
            found.append(reached)
        return found

    @cached_property
    def _modulating(self) -> set[int]:
        if sum(operation.kind == "input" for operation in self.operations) < 2:
            return set()
        return {layer.number for layer in self.operations if layer.is_weighted and self._modulates(layer)}

    def _modulates(self, layer: Operation) -> bool:
        """Return whether a layer's output multiplies by one plus itself, gates branches, or shifts such products."""
        roles = [self._role(layer, source, end) for source, end in self._paths(layer)]
        return bool(roles) and all(roles) and any(role in ("scale", "gate") for role in roles)

    def _role(self, layer: Operation, given: Operation, end: Operation) -> str:
        if end.name == "add" and len(self._real(end)) == 1 and _adds_one(end):
            users = [u for u in self._ends(end) if u.name == "mul" and self._by_other_inputs(layer, end, u)]
            return "scale" if users else ""
        if end.name == "mul" and self._by_other_inputs(layer, given, end):
            return "gate" if any(user.number in self.graph.shortcuts for user in self._ends(end)) else ""
        if end.name == "add" and self._by_other_inputs(layer, given, end):
            others = [self.operations[s.operation] for s in self._real(end) if s.operation != given.number]
            return "shift" if all(other.name in ("mul", "add") for other in others) else ""
        return ""

    def _by_other_inputs(self, layer: Operation, given: Operation, end: Operation) -> bool:
        """Return whether a signal of other inputs meets the given one."""
        others = [s.operation for s in self._real(end) if s.operation != given.number]
        return any(self._inputs[number] & ~self._inputs[layer.number] for number in others)

    @cached_property
    def _queries(self) -> dict[int, int]:
        """The layers of queries whose scores nothing divides, with the number of products in a score."""
        found = {}
        for operation in self.operations:
            signals = self._signals(operation)[:2]
            product = operation.kind == "product" and not operation.is_weighted and self._reaches_softmax(operation)
            attention = operation.kind == "attention" and operation.keywords.get("scale") == 1
            if len(signals) < 2 or not (product or attention):
                continue
            query, key = map(self._layer_before, signals)
            if query is not None and key is not None and query is not key:
                found[query.number] = self.graph.shape(signals[0])[-1]
        return found

    def _layer_before(self, source: Source) -> Operation | None:
        """Return the layer whose output a source rearranges; None if there is none."""
        operation = self._source_of(source)
        return operation if operation.is_weighted else None

    def _source_of(self, source: Source) -> Operation:
        """Return the operation whose result a source rearranges."""
        operation = self.operations[source.operation]
        while operation.kind in _KEEPS and len(self._real(operation)) == 1:
            operation = self.operations[self._real(operation)[0].operation]
        return operation

    def _reaches_softmax(self, operation: Operation) -> bool:
        """Return whether only sums and masks come between scores and their softmax."""
        waiting, seen = [operation], set()
        while waiting:
            for user in self._users(waiting.pop()):
                if user.kind == "softmax":
                    return True
                if user.number not in seen and (user.kind in (*_KEEPS, "sum") or user.name in ("masked_fill", "where")):
                    seen.add(user.number)
                    waiting.append(user)
        return False

    def _heads(self, table: Operation) -> list[Operation]:
        """Return the operations that use a table otherwise than by looking rows up."""
        names = [use.name for use in table.uses if use.how == "looked up"]
        return [operation for name in names for operation, use in self.graph.uses[name] if use.how != "looked up"]

    def _head_factor(self, table: Operation) -> float:
        for source in [source for head in self._heads(table) for source in self._real(head)]:
            before = self._source_of(source)
            numbers = [value for value in before.arguments if isinstance(value, int | float)]
            if before.name == "mul" and not before.uses and numbers and numbers[0]:
                return abs(float(numbers[0]))
        return 1.0

    def _feeds(self, table: Operation) -> str:
        if self._heads(table):
            return ""
        waiting, seen, kinds = self._paths(table), set(), set()
        while waiting:
            given, end = waiting.pop()
            is_mask = end.kind == "attention" and given.number in [s.operation for s in self._real(end)[3:]]
            if is_mask or end.kind == "softmax":
                kinds.add("scores")
            elif end.is_weighted or end.kind in ("attention", "recurrence"):
                kinds.add("layer")
            elif end.kind == "elementwise product":
                # The author has chosen a factor.
                kinds.add("scaled")
            elif end.kind == "normalization":
                kinds.add("normalization")
            elif end.number not in seen and end.number not in self.graph.shortcuts:
                seen.add(end.number)
                waiting += self._paths(end)
        return kinds.pop() if len(kinds) == 1 and kinds <= {"layer", "scores"} else ""


def _is_bounded(activation: Any) -> bool:
    with np.errstate(all="ignore"):
        values = as_function(activation)(np.array([-1e3, 1e3]))
    return bool(np.abs(values).max() < 10)


@cached
def _correlation_after(activation: Any, correlation: float) -> float:
    """Return the correlation, about zero, of values of a function of normal values."""
    try:
        signal = Signal(1.0, across=correlation).through(activation)
    except InvalidParameterError:
        # The function has no mean over a normal distribution.
        return correlation
    return signal.across / signal.square if signal.square else correlation


def _adds_one(operation: Operation) -> bool:
    given = (*operation.arguments, *operation.keywords.values())
    return any(isinstance(value, int | float) and value == 1 for value in given)


def _is_square(operation: Operation) -> bool:
    given = [value for value in operation.arguments if isinstance(value, Source)]
    return len(given) == 2 and given[0] == given[1]
