"""One graph of several networks."""

from dataclasses import replace

from initsk.network._network_graph import NetworkGraph
from initsk.network._operations import Operation, Source


def joined(graphs: dict[str, NetworkGraph]) -> NetworkGraph:
    """Return one graph of networks that do not feed one another, by the names of the modules that hold them."""
    operations: list[Operation] = []
    for name, graph in graphs.items():
        first = len(operations)

        def moved(source: Source, first: int = first) -> Source:
            return Source(source.operation + first, source.output)

        for operation in graph.operations:
            operations.append(
                replace(
                    operation,
                    number=operation.number + first,
                    module=f"{name}.{operation.module}".rstrip("."),
                    inputs=tuple(map(moved, operation.inputs)),
                    uses=tuple(replace(use, name=f"{name}.{use.name}") for use in operation.uses),
                )
            )
    reading = "forward pass" if operations else "layer classes"
    example = ", ".join(graph.example for graph in graphs.values())
    is_cut = any(graph.is_cut for graph in graphs.values())
    return NetworkGraph(tuple(operations), reading, example, is_cut=is_cut)
