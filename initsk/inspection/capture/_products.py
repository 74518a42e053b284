"""Products with weights that are not the output of a module of their own, and their names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import nn

from initsk.inspection.capture._trace import Trace
from initsk.network import NetworkGraph, Operation, Source, named_parameters

_DECIDING = ("multiplies", "looked up", "recurrent", "normalizes")
_PARAMETRIZATIONS = ".parametrizations."


@dataclass(frozen=True)
class OwnProduct:
    """A product with a weight, or another operation with one, whose result is captured where it is computed.

    Attributes
    ----------
    operation : Operation
        The operation.
    value : Source
        Its result, after the addition of a bias.
    name : str
        The name of the layer: that of the module that owns the weight, and that of the weight if the module has
        several.
    owner : torch.nn.Module
        The module that owns the weight.
    owner_path, weight : str
        Their names.
    path : str
        Name of the module that runs the operation.
    call : int
        How often this module was called before.
    """

    operation: Operation
    value: Source
    name: str
    owner: nn.Module
    owner_path: str
    weight: str
    path: str
    call: int


Outputs = Mapping[tuple[str, int], list[Source]]


def find_products(
    graph: NetworkGraph, module: nn.Module, parts: dict[str, nn.Module], outputs: Outputs, trace: Trace
) -> list[OwnProduct]:
    """Return the operations with weights that are not simply the output of the module that owns the weight.

    Parameters
    ----------
    graph : NetworkGraph
        The reading of the network.
    module : torch.nn.Module
        The network.
    parts : dict of str to torch.nn.Module
        Its parts by their names.
    outputs : dict of (str, int) to list of Source
        The results that each call of a module returns.
    trace : Trace
        The ways back in the graph.
    """
    owners, biases = _Owners(module), _Biases(graph)
    groups: dict[tuple[str, str, int], list[OwnProduct]] = {}
    for operation in graph.operations:
        uses = [use for use in operation.uses if use.how in _DECIDING]
        if operation.constant or operation.step < 0 or not uses or biases.is_bias(operation):
            continue
        owner_path, weight = owners.of(uses[0].name, operation.module)
        product = OwnProduct(
            operation, biases.added(operation), "", parts[owner_path], owner_path, weight,
            operation.module, operation.call,
        )  # fmt: skip
        groups.setdefault((owner_path, operation.module, operation.call), []).append(product)
    found = []
    for (owner_path, path, call), products in groups.items():
        returned = outputs.get((path, call), []) if path == owner_path else []
        found += _named(products, returned, trace)
    return found


def _named(products: list[OwnProduct], returned: list[Source], trace: Trace) -> list[OwnProduct]:
    """Return products of one owner with their names, without the one that is the module's only product and output."""
    (first, *others) = products
    by_weight = [replace(p, name=f"{p.owner_path}.{p.weight}".lstrip(".")) for p in products]
    if others:
        return by_weight
    if any(first.value in set(trace.before_scaling(source)) for source in returned):
        return []
    if any(first.value in set(trace.through_functions(source)) for source in returned):
        return [replace(first, name=first.owner_path)]
    # The module's name belongs to its output, if that is another value.
    is_elsewhere = not returned or first.path != first.owner_path
    return [replace(first, name=first.owner_path)] if is_elsewhere else by_weight


class _Biases:
    """The additions of biases to the results of products."""

    def __init__(self, graph: NetworkGraph) -> None:
        self.graph = graph

    def added(self, operation: Operation) -> Source:
        """Return the result of an operation after the addition of its biases, if nothing else takes the result."""
        last = operation
        while (user := self._only_user(last)) is not None and self._adds_bias(user, last):
            last = user
        return Source(last.number)

    def is_bias(self, operation: Operation) -> bool:
        """Return whether rows of a table are only added to the result of a product, such as the biases of experts."""
        if not any(use.how == "looked up" for use in operation.uses):
            return False
        user = self._only_user(operation)
        if user is None or user.name != "add" or len(user.inputs) != 2:
            return False
        others = [self.graph.operations[s.operation] for s in user.inputs if s.operation != operation.number]
        return any(use.how == "multiplies" for other in others for use in other.uses)

    def _only_user(self, operation: Operation) -> Operation | None:
        users = {self.graph.operations[number].number for number in self.graph.users[operation.number]}
        user = self.graph.operations[users.pop()] if len(users) == 1 else None
        inside = user is not None and (user.module, user.call) == (operation.module, operation.call)
        return user if inside else None

    def _adds_bias(self, user: Operation, product: Operation) -> bool:
        if user.name != "add" or user.step < 0:
            return False
        if len(user.inputs) == 1:
            return any(use.how == "adds" for use in user.uses)
        others = [self.graph.operations[s.operation] for s in user.inputs if s.operation != product.number]
        return all(self.is_bias(other) for other in others)


class _Owners:
    """The modules that own each parameter."""

    def __init__(self, module: nn.Module) -> None:
        names: dict[int, list[str]] = {}
        for name, parameter in named_parameters(module, remove_duplicate=False):
            names.setdefault(id(parameter), []).append(name)
        self._names = {name: held for held in names.values() for name in held}

    def of(self, parameter: str, running: str) -> tuple[str, str]:
        """Return the names of the module that owns a parameter and of the parameter in it.

        Of several modules that share the parameter, it is the one that runs.
        """
        found = [self._split(name) for name in self._names[parameter]]
        return next((owner for owner in found if owner[0] == running), self._split(parameter))

    @staticmethod
    def _split(name: str) -> tuple[str, str]:
        if _PARAMETRIZATIONS in f".{name}":
            path, _, rest = f".{name}".partition(_PARAMETRIZATIONS)
            return path.lstrip("."), rest.partition(".")[0]
        path, _, short = name.rpartition(".")
        return path, short
