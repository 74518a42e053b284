"""Ways back from a result to the layer that computed it, through operations that hide nothing."""

from collections import Counter
from collections.abc import Iterator

from initsk.network import NetworkGraph, Operation, Source
from initsk.utils.cached import cached_property

_SCALING = {"mul", "div", "add", "sub", "neg"}


class Trace:
    """The ways back through a graph of operations.

    Parameters
    ----------
    graph : NetworkGraph
        The graph.
    """

    def __init__(self, graph: NetworkGraph) -> None:
        self.operations = graph.operations

    def back(self, source: Source) -> Iterator[Source]:
        """Yield a result and the results that it consists of: before dropout, and before values are rearranged."""
        yield source
        while (before := self._before(self.operations[source.operation])) is not None:
            source = before
            yield source

    def unchanged(self, source: Source | None) -> Iterator[Source]:
        """Yield a result and the results with the same values in the same places."""
        while source is not None:
            yield source
            operation = self.operations[source.operation]
            same = operation.kind == "dropout" or operation.name == "identity" or _quantizes(operation)
            source = operation.inputs[0] if same and operation.inputs else None

    def before_scaling(self, source: Source) -> Iterator[Source]:
        """Yield what `back` yields, also before products with constants and parameters, and before their addition."""
        for found in self.back(source):
            yield found
            last = found
        operation = self.operations[last.operation]
        if operation.name in _SCALING and len(operation.inputs) == 1:
            yield from self.before_scaling(operation.inputs[0])

    def through_functions(self, source: Source) -> Iterator[Source]:
        """Yield what `back` yields, also before activation functions."""
        for found in self.back(source):
            yield found
            completed = self.operations[found.operation].completed
            if completed is not None:
                yield from self.through_functions(completed.variable)

    def n_functions(self, source: Source) -> int:
        """Return the number of activation functions that take a result or a part of it."""
        return self._n_functions[source]

    @cached_property
    def _n_functions(self) -> Counter[Source]:
        completed = [o.completed for o in self.operations if o.completed is not None and not o.constant]
        return Counter(source for function in completed for source in self.back(function.variable))

    def _before(self, operation: Operation) -> Source | None:
        hides_nothing = operation.kind in ("dropout", "reshape") or _quantizes(operation)
        return operation.inputs[0] if hides_nothing and operation.inputs else None


def _quantizes(operation: Operation) -> bool:
    """Return whether an operation rounds values to those of quantized numbers."""
    return "fake_quant" in operation.name
