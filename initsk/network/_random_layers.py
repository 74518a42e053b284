"""Signals after layers with random weights: how many products a unit sums, and what the weights' distribution does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from initsk.network._network_graph import NetworkGraph
from initsk.network._operations import Operation, ParameterUse, Source, tensors_in
from initsk.network._propagation import Propagation
from initsk.network._signal_step import pair_of
from initsk.network._views import shares_memory
from initsk.network._wrappers import named_parameters
from initsk.theory import Signal, removed_share, times


@dataclass(frozen=True)
class Distribution:
    """The distribution of a parameter's values.

    Attributes
    ----------
    mean, square : float
        Mean and mean square.
    orthogonal : bool
        Whether the weights are a multiple of an orthogonal matrix, or of some of its rows or columns.
    centered : bool
        Whether the weights of each unit add up to zero.
    """

    mean: float
    square: float
    orthogonal: bool = False
    centered: bool = False

    @classmethod
    def of(cls, values: torch.Tensor) -> "Distribution":
        """Return the mean and mean square of given values."""
        return cls(*pair_of(values))


#: Returns the distribution of a parameter, given the operation and how it uses it.
Law = Callable[[Operation, ParameterUse], Distribution]


def argument_of(operation: Operation, use: ParameterUse) -> torch.Tensor | None:
    """Return the tensor by which an operation uses a parameter; None if it is not known or has no values."""
    given = [operation.arguments, list(operation.keywords.values())]
    found = [tensor for tensor in tensors_in(given) if tuple(tensor.shape) == use.shape]
    return found[0] if len(found) == 1 and type(found[0]) in (torch.Tensor, nn.Parameter) else None


def current_values(module: nn.Module) -> Law:
    """Return the distributions of a module's parameters as operations use them, such as times a factor or a mask."""
    parameters = dict(named_parameters(module))

    def distribution(operation: Operation, use: ParameterUse) -> Distribution:
        used, parameter = argument_of(operation, use), parameters[use.name]
        return Distribution.of(parameter if used is None or shares_memory(used, parameter) else used)

    return distribution


@dataclass(frozen=True)
class Sums:
    """Number and size of the terms in the sums of a layer with weights.

    Attributes
    ----------
    terms : float
        Products in a sum, on average over the positions: fewer at the edges of a padded input.
    shared_terms : float
        Products whose weights meet a value at both of two positions, on average over pairs of positions.
    fan_in : int
        Weights of a unit.
    weight_square : float
        Mean square of the weights, whose mean is zero.
    bias_mean, bias_square : float
        Mean and mean square of the biases.
    orthogonal, centered : bool
        As in `Distribution`.
    """

    terms: float
    shared_terms: float
    fan_in: int
    weight_square: float
    bias_mean: float
    bias_square: float
    orthogonal: bool
    centered: bool

    @property
    def gain(self) -> float:
        """The factor on the mean square of the signal."""
        return self.terms * self.weight_square


def sums_of(operation: Operation, graph: NetworkGraph, distribution: Law) -> Sums | None:
    """Return the sums of an operation with weights; None if their use is not known, or their mean is not zero."""
    weights = [use for use in operation.uses if use.how == "multiplies"]
    if not weights or any(use.roles is None for use in weights) or _is_other(operation, weights):
        return None
    found = [distribution(operation, use) for use in weights]
    if any(_has_mean(part, use) for part, use in zip(found, weights, strict=True)):
        return None
    # Several weights make equal parts of the units.
    square = sum(part.square for part in found) / len(found)
    fan_in = weights[0].n_summed
    if operation.kind == "transposed convolution":
        fan_in //= operation.argument(6, "groups", 1)
    share, shared = _shares_of_taps(operation, graph)
    biases = [distribution(operation, use) for use in operation.uses if use.how == "adds"]
    mean = sum(part.mean for part in biases)
    spread = sum(part.square - part.mean**2 for part in biases)
    orthogonal, centered = (all(getattr(part, name) for part in found) for name in ("orthogonal", "centered"))
    return Sums(fan_in * share, fan_in * shared, fan_in, square, mean, spread + mean**2, orthogonal, centered)


def _is_other(operation: Operation, weights: list[ParameterUse]) -> bool:
    """Return whether sums are no plain sums of products with one matrix, such as one that is a product itself."""
    scaled = any(operation.keywords.get(name, 1) != 1 for name in ("alpha", "beta"))
    return scaled or operation.kind == "elementwise product" or (len(weights) > 1 and operation.function is not None)


def _has_mean(weights: Distribution, use: ParameterUse) -> bool:
    """Return whether the mean of weights changes the sums by 10 % or more, and is more than chance."""
    variance, chance = max(weights.square - weights.mean**2, 0.0), 5.0
    return use.n_summed * weights.mean**2 > max(0.1, chance**2 * use.n_summed / prod(use.shape)) * variance


def after_layer(
    operation: Operation, signals: list[Signal], propagation: Propagation, distribution: Law, sums: Sums | None
) -> Any:
    """Return the signal after an operation with random weights, or NotImplemented."""
    result = Source(operation.number)
    units, positions = propagation.units(result), propagation.positions(result)
    rows = [use for use in operation.uses if use.how == "looked up"]
    if operation.name == "embedding_bag":
        return NotImplemented
    if rows:
        law = distribution(operation, rows[0])
        same = signals[0] if signals else _of_indices(operation, propagation, positions)
        return replace(same.through_layer(law.square, 0.0, units, positions), mean=law.mean)
    if sums is None or not signals:
        return NotImplemented
    signal = times(*signals[:2]) if operation.name == "bilinear" and len(signals) > 1 else signals[0]
    removed = removed_share(sums.orthogonal, units, sums.fan_in)
    after = signal.through_layer(
        sums.gain, sums.bias_square - sums.bias_mean**2, units, positions,
        shared_gain=sums.shared_terms * sums.weight_square, fan_in=sums.fan_in, removed=removed, centered=sums.centered,
    )  # fmt: skip
    return after.scaled(1.0, sums.bias_mean) if sums.bias_mean else after


def _of_indices(operation: Operation, propagation: Propagation, positions: int) -> Signal:
    """Return how often rows of a table are looked up by equal indices, at two positions and in two samples."""
    given = [propagation.graph.operations[source.operation] for source in operation.inputs]
    inputs = [part for part in given if part.kind == "input"]
    measured = propagation.of_input(inputs[0]) if inputs else None
    if measured is not None:
        return measured.at(1, positions)
    if not operation.constant:
        return Signal(1.0, positions=positions)
    # The indices of positions are the same in all samples.
    tensors = tensors_in([operation.arguments, list(operation.keywords.values())])
    indices = [tensor for tensor in tensors if type(tensor) is torch.Tensor and not tensor.is_floating_point()]
    between = share_of_pairs(indices[0].flatten(), ()) if indices and not indices[0].is_meta else 0.0
    return Signal(1.0, between=between, across=between + (1 - between) / max(positions, 1), positions=positions)


def share_of_pairs(values: torch.Tensor, axes: tuple[str, ...]) -> float:
    """Return the share of pairs of equal integers within a sample."""
    rows = values.reshape(len(values), -1) if len(axes) > 1 and values.dim() > 1 else values.reshape(1, -1)
    n = rows.shape[1]
    equal = sum(int((row.unique(return_counts=True)[1] ** 2).sum()) - n for row in rows)
    return equal / (len(rows) * n * (n - 1)) if n > 1 else 0.0


def _shares_of_taps(operation: Operation, graph: NetworkGraph) -> tuple[float, float]:
    """Return the share of a kernel's weights that meet a value of the input, at one position and at both of two.

    Both are means, over the output's positions and over pairs of different ones.
    """
    if "convolution" not in operation.kind:
        return 1.0, 1.0
    source, weight = operation.argument(0, "input"), operation.argument(1, "weight")
    # A convolution of a constant has its values.
    given = source.shape if isinstance(source, torch.Tensor) else graph.shape(source)
    n = weight.dim() - 2
    transposed = operation.kind == "transposed convolution"
    stride = _each(operation.argument(3, "stride", 1), n)
    padding, kernel = operation.argument(4, "padding", 0), weight.shape[2:]
    dilation = _each(operation.argument(7 if transposed else 5, "dilation", 1), n)
    if isinstance(padding, str):
        padding = [d * (k - 1) // 2 if padding == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
    padding = _each(padding, n)
    own = pairs = 1.0
    for d in range(n):
        meets = _meetings(
            given[d - n], operation.shape[d - n], kernel[d], (stride[d], padding[d], dilation[d]), transposed
        )
        own *= float(meets.sum(1).mean()) / kernel[d]
        pairs *= float(meets.mean(0) @ meets.mean(0)) / kernel[d]
    positions = prod(operation.shape[-n:])
    return own, (positions * pairs - own) / (positions - 1) if positions > 1 else own


def _meetings(
    n_in: int, n_out: int, kernel: int, steps: tuple[int, int, int], transposed: bool
) -> np.ndarray:  # of shape (n_out, kernel)
    """Return for each position of the output along an axis how many values of the input each weight meets."""
    stride, padding, dilation = steps
    moving, fixed = (n_in, n_out) if transposed else (n_out, n_in)
    targets = np.arange(moving)[:, None] * stride - padding + np.arange(kernel) * dilation
    inside = (targets >= 0) & (targets < fixed)
    if not transposed:
        return inside.astype(float)
    meets = np.zeros((n_out, kernel))
    np.add.at(meets, (targets[inside], np.nonzero(inside)[1]), 1.0)
    return meets


def _each(value: Any, n: int) -> list[int]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return [int(v) for v in (values * n if len(values) == 1 else values)]
