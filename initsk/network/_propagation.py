"""Propagation of the statistics of signals along the graph of a network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from initsk.exceptions import InvalidParameterError
from initsk.network._axes import POSITION, UNIT, axes_of, size_along
from initsk.network._network_graph import NetworkGraph
from initsk.network._operations import CONSTANT_KINDS, Operation, ParameterUse, Source
from initsk.network._signal_rules import rule_of
from initsk.network._signal_step import Pair, Step, pair_of
from initsk.theory import Signal

# Beyond this variance of the logarithm, the mean lies outside of an interval of 99 %.
_MAX_SPREAD = 25.0


@dataclass
class Propagation:
    """The signals of a network, from its inputs on.

    Attributes
    ----------
    graph : NetworkGraph
    of_input : callable
        Returns the signal of an input, given its operation; None for an input that is no signal.
    of_layer : callable
        Returns the signal after an operation with weights, given the operation, its signals and the propagation, or
        NotImplemented.
    parameter : callable
        Returns the mean and the mean square of a parameter, given the operation, the values and the use.
    on_unknown : callable
        Called with each operation without a rule, whose result is then unknown.
    shape_of : callable or None
        Returns the shape of a result; None takes that of the graph.
    exact : bool
        Whether values are independent of one another, as AutoInit assumes.
    signals : dict of Source to Signal
        The known signals.
    unknown : dict of int to int
        For each operation whose result is unknown, the first operation without a rule before it, or itself.
    """

    graph: NetworkGraph
    of_input: Callable[[Operation], Signal | None]
    of_layer: "Callable[[Operation, list[Signal], Propagation], Any]"
    parameter: Callable[[Operation, torch.Tensor, ParameterUse], Pair]
    on_unknown: Callable[[Operation], None]
    shape_of: Callable[[Source], tuple[int, ...]] | None = None
    exact: bool = False
    signals: dict[Source, Signal] = field(default_factory=dict)
    unknown: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.axes = axes_of(self.graph)

    def run(self, needed: set[int] | None = None) -> "Propagation":
        """Propagate through all operations, or those that are needed."""
        for operation in self.graph.operations:
            if needed is not None and operation.number not in needed:
                continue
            before = next((self.unknown[s.operation] for s in operation.inputs if s.operation in self.unknown), None)
            if before is not None:
                self.unknown[operation.number] = before
                continue
            signal = self._after(operation)
            if isinstance(signal, Signal) and signal.spread > _MAX_SPREAD:
                # So few values make the mean square that it says nothing of a draw.
                signal = NotImplemented
            if signal is NotImplemented:
                self.unknown[operation.number] = operation.number
                self.on_unknown(operation)
            elif signal is not None:
                self._set(operation, signal)
        return self

    def _of_constant(self, operation: Operation) -> Signal:
        """Return a parameter or another constant that is used as a signal: it has the same values in all samples."""
        values = operation.arguments[0]
        pair = self.parameter(operation, values, operation.uses[0]) if operation.uses else pair_of(values)
        return Signal(pair[1], pair[0], across=pair[1])

    def units(self, source: Source) -> int:
        """Return the number of units of a result."""
        return size_along(self.graph.shape(source), self.axes[source], UNIT)

    def positions(self, source: Source) -> int:
        """Return the number of positions of a sample in a result."""
        return size_along(self.graph.shape(source), self.axes[source], POSITION)

    def step(self, operation: Operation) -> Step:
        """Return an operation with the signals that it takes."""
        return Step(
            operation,
            self.signals,
            self.axes,
            self.shape_of or self.graph.shape,
            self.parameter,
            self.graph.operations,
            self.exact,
        )

    def _set(self, operation: Operation, signal: Signal) -> None:
        signal = signal.independent() if self.exact else signal
        for position in range(len(operation.shapes)):
            source = Source(operation.number, position)
            if operation.real[position]:
                self.signals[source] = signal.at(self.units(source), self.positions(source))

    def _after(self, operation: Operation) -> Any:
        """Return the signal after an operation, None if its result is no signal, or NotImplemented."""
        if operation.kind == "input":
            return self.of_input(operation)
        if operation.kind == "output" or not any(operation.real):
            return None
        if operation.kind in CONSTANT_KINDS:
            return self._of_constant(operation)
        given = [self.signals[source] for source in operation.inputs if source in self.signals]
        if operation.is_weighted and (given or any(use.how == "looked up" for use in operation.uses)):
            return self.of_layer(operation, given, self)
        if not given:
            # A layer of values that are made from integers; without weights, they may be a mask.
            return NotImplemented if operation.is_weighted and operation.inputs and not self.exact else None
        rule = rule_of(operation)
        try:
            return NotImplemented if rule is None else rule(self.step(operation))
        except InvalidParameterError:
            # A function without a mean over a normal distribution.
            return NotImplemented
