"""Products with a parameter value by value whose results are then added up: ``(x[:, :, None] * w).sum(1)``."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import torch

from initsk.network._operations import Operation, ParameterUse, Source, tensors_in
from initsk.network._views import shares_memory


def mark_summed_products(operations: list[Operation], parameters: Mapping[str, torch.Tensor]) -> None:
    """Note that a parameter multiplies the signal as a matrix does, where sums over its axes follow the product.

    A matrix that makes more values of the signal multiplies it too, in a way that is not known, if no such sum follows.

    Parameters
    ----------
    operations : list of Operation
        Of a forward pass; the uses of products are replaced.
    parameters : mapping of str to torch.Tensor
        The parameters by their names.
    """
    users: dict[int, list[Operation]] = {}
    for operation in operations:
        for source in operation.inputs:
            users.setdefault(source.operation, []).append(operation)
    for operation in operations:
        uses = [use for use in operation.uses if use.how == "scales"]
        sums = [summed for user in users.get(operation.number, ()) if (summed := _summed_axes(user, operation))]
        is_product = operation.kind == "elementwise product" and len(uses) == len(operation.inputs) == 1
        if not is_product:
            continue
        use, signal = uses[0], _shape_of(operations, operation.inputs[0])
        parameter = parameters.get(use.name, torch.empty(0))
        if sums and len(sums) == len(users[operation.number]):
            use = _as_product(use, signal, len(operation.shape), sums[0], tuple(parameter.shape))
        if use is uses[0] and prod(operation.shape) > prod(signal) and _is_matrix_in(operation, parameter):
            use = replace(use, how="multiplies", roles=None)
        operation.uses = tuple(use if other is uses[0] else other for other in operation.uses)


def _is_matrix_in(operation: Operation, parameter: torch.Tensor) -> bool:
    """Return whether an operation takes a matrix, or a part of it, as it is, and not a function of it."""
    is_matrix = sum(size > 1 for size in parameter.shape) > 1
    given = tensors_in([operation.arguments, list(operation.keywords.values())])
    return is_matrix and any(shares_memory(tensor, parameter) for tensor in given)


def _summed_axes(user: Operation, product: Operation) -> set[int]:
    """Return the axes that a sum adds up; none for other operations."""
    axes = user.argument(1, "dim") if user.name == "sum" else ()
    axes = [axes] if isinstance(axes, int) else axes or ()
    return {axis % len(product.shape) for axis in axes}


def _as_product(
    use: ParameterUse, signal: tuple[int, ...], rank: int, summed: set[int], shape: tuple[int, ...]
) -> ParameterUse:
    """Return the use of a parameter as a matrix; as it is if no axis of the parameter is summed over."""
    first = rank - len(use.shape)
    roles = []
    for axis, size in enumerate(use.shape, first):
        own = signal[axis - rank + len(signal)] if axis - rank + len(signal) >= 0 else 1
        role = "in" if axis in summed else "block" if own > 1 else "out"
        roles += [(size, role)] if size > 1 else []
    if not any(role == "in" for _, role in roles):
        return use
    stored = tuple(size for size in shape if size > 1) == tuple(size for size, _ in roles)
    return replace(use, how="multiplies", roles=tuple(roles) if stored else None)


def _shape_of(operations: list[Operation], source: Source) -> tuple[int, ...]:
    return operations[source.operation].shapes[source.output]
