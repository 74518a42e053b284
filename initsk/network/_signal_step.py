"""One operation of a network with the signals that it takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.network._axes import POSITION, UNIT, Axes, size_along
from initsk.network._layouts import dense
from initsk.network._operations import Operation, ParameterUse, Source, tensors_in
from initsk.theory import Signal
from initsk.utils.torch_settings import in_double

# Masked scores of attention are below this.
MASKED = -1e4
_WITH_WINDOW = {f"{kind}_pool{d}d" for kind in ("avg", "max") for d in (1, 2, 3)}
Pair = tuple[float, float]


@dataclass
class Step:
    """One operation, with the signals that it takes.

    Attributes
    ----------
    operation : Operation
    signals : dict of Source to Signal
        The signals of the network so far; integers, shapes and truth values are none.
    axes : dict of Source to tuple of str
        The meaning of the axes of each result.
    shape_of : callable
        Returns the shape of a result.
    parameter : callable
        Returns the mean and the mean square of a parameter, given the operation, the values and the use.
    exact : bool
        Whether normalization gives exactly the variance 1, without its epsilon.
    operations : sequence of Operation
        All operations of the network.
    """

    operation: Operation
    signals: dict[Source, Signal]
    axes: dict[Source, Axes]
    shape_of: Callable[[Source], tuple[int, ...]]
    parameter: Callable[[Operation, torch.Tensor, ParameterUse], Pair]
    operations: Sequence[Operation] = ()
    exact: bool = False

    def origin(self, source: Source) -> tuple[Any, ...]:
        """Return the result that a source is a rearrangement or a function of, and which of its units it holds."""
        part: tuple[int, ...] = ()
        operation = self.operations[source.operation]
        while _is_function(operation) and operation.inputs:
            before = operation.variable or operation.inputs[0]
            if before in self.axes and self.size(source, UNIT) < self.size(before, UNIT):
                # Another part of the units is another signal.
                part = (*part, source.operation, source.output)
            source, operation = before, self.operations[before.operation]
        # A layer that is called twice on one signal gives the same values.
        names = tuple(use.name for use in operation.uses)
        return (names, operation.inputs, part) if operation.is_weighted else (source, part)

    def depend(self, first: Any, second: Any) -> bool:
        """Return whether two operands are parts of one signal, which is not zero, that have units in common."""
        given = [part for part in (first, second) if isinstance(part, Source) and part in self.signals]
        if self.exact or len(given) < 2 or not all(self.signals[part].square for part in given):
            return False
        return self.origin(first) == self.origin(second)

    @property
    def result(self) -> Source:
        """The first result of the operation."""
        return Source(self.operation.number)

    def sources(self) -> list[Source]:
        """Return the sources of signals among the arguments, also in lists; one that is given twice is there twice."""
        given: list[Source] = []

        def collect(value: Any) -> None:
            if isinstance(value, Source):
                given.append(value)
            elif isinstance(value, list | tuple):
                for part in value:
                    collect(part)

        collect([self.operation.arguments, list(self.operation.keywords.values())])
        return [source for source in given or self.operation.inputs if source in self.signals]

    @property
    def first(self) -> Signal:
        """The first signal that the operation takes."""
        return self.signals[self.sources()[0]]

    def size(self, source: Source, meaning: str) -> int:
        """Return the number of units or positions of a result."""
        return size_along(self.shape_of(source), self.axes[source], meaning)

    def ratio(self) -> int:
        """Return how many values of the first signal an output value depends on, if they are equally many for each."""
        results = max(prod(self.shape_of(self.result)), 1)
        return max(prod(self.shape_of(self.sources()[0])) // results, 1)

    def window(self) -> int:
        """Return how many values a window of the pooling has; all that an output value depends on without a window."""
        size = self.operation.argument(1, "kernel_size") if self.operation.name in _WITH_WINDOW else None
        if size is None:
            return self.ratio()
        dimensions = int(self.operation.name[-2])
        return size**dimensions if isinstance(size, int) else prod(size) ** (dimensions if len(size) == 1 else 1)

    def statistics(self, tensor: torch.Tensor | float) -> tuple[Pair, bool]:
        """Return mean and mean square of a constant or a parameter, and whether all positions have the same values."""
        if not isinstance(tensor, torch.Tensor):
            return (float(tensor), float(tensor) ** 2), True
        axes, n = self.axes[self.result], tensor.dim()
        along = [size for size, axis in zip(tensor.shape, axes[len(axes) - n :], strict=False) if axis == POSITION]
        uses = [use for use in self.operation.uses if use.how in ("adds", "scales", "normalizes")]
        fitting = [use for use in uses if use.shape == tuple(tensor.shape)]
        given = self.operation.arguments, list(self.operation.keywords.values())
        alike = [part for part in tensors_in(given) if part.shape == tensor.shape and isinstance(part, nn.Parameter)]
        number = next((n for n, part in enumerate(alike) if part is tensor), 0) if len(alike) == len(fitting) else 0
        pair = self.parameter(self.operation, tensor, fitting[number]) if fitting else pair_of(tensor)
        return pair, all(size == 1 for size in along)

    @staticmethod
    def visible(mask: torch.Tensor) -> np.ndarray:
        """Return for each row of a mask how many keys it leaves, at least one."""
        rows: np.ndarray = mask.sum(-1).flatten().cpu().numpy()
        return np.maximum(rows, 1)


def _is_function(operation: Operation) -> bool:
    """Return whether an operation is a function of one signal, with which the signal must not be taken for another."""
    if operation.kind in ("reshape", "dropout", "activation", "softmax"):
        return True
    scales = operation.kind == "elementwise product" and len(operation.inputs) == 1 and not operation.uses
    # Products with a constant tensor, such as the sines and cosines of rotated positions, are other signals.
    return scales and all(isinstance(part, Source | int | float) for part in operation.arguments)


def pair_of(tensor: torch.Tensor) -> Pair:
    """Return mean and mean square of the values of a tensor; of complex ones, the real part and the absolute values."""
    try:
        values = _doubled(tensor)
        values.sum().item()
    except RuntimeError as error:
        raise ModuleError(
            "a tensor from inside of a function of torch.func has no values outside of it (allowed: a network that"
            " calls its layers without torch.func)"
        ) from error
    return float(values.mean().real), float(values.abs().square().mean())


def _doubled(tensor: torch.Tensor) -> torch.Tensor:
    """Return the values in double precision."""
    return in_double(dense(tensor.detach()))


def reciprocal(constant: float | torch.Tensor) -> float | torch.Tensor:
    """Return one divided by a number or by the values of a tensor."""
    return _doubled(constant).reciprocal() if isinstance(constant, torch.Tensor) else 1 / constant
