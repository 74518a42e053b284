"""Mean squares of gradients, backward along the graph of a network with random weights."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, NamedTuple

import torch

from initsk.exceptions import InvalidParameterError
from initsk.network._operations import Operation, Source
from initsk.network._propagation import Propagation
from initsk.network._random_layers import Sums
from initsk.network._signal_rules import rule_of
from initsk.network._signal_rules_of_attention import AttentionWeights
from initsk.network._signal_step import Step, reciprocal
from initsk.theory import Signal, plus, removed_share, times


class Gradient(NamedTuple):
    """The gradient of an operation's input; only the largest of `largest` values have one."""

    source: Source
    signal: Signal
    largest: int = 1


Gradients = list[Gradient]


@dataclass
class BackwardPropagation:
    """The gradients of a loss with respect to the signals of a network.

    Attributes
    ----------
    forward : Propagation
        The signals.
    sums_of : callable
        Returns the `Sums` of an operation with weights, or None.
    gradients : dict of Source to Signal
        The known gradients.
    unknown : set of Source
        The signals whose gradients are not known.
    """

    forward: Propagation
    sums_of: Callable[[Operation], Sums | None]
    gradients: dict[Source, Signal] = field(default_factory=dict)
    unknown: set[Source] = field(default_factory=set)

    def run(self, output_square: float) -> "BackwardPropagation":
        """Propagate from the first output, whose gradients have the given mean square and are independent."""
        collected: dict[Source, list[Gradient]] = {}
        for operation in reversed(self.forward.graph.operations):
            if operation.kind == "output":
                for source in operation.inputs[:1]:
                    units, positions = self.forward.units(source), self.forward.positions(source)
                    start = Signal(float(output_square), units=units, positions=positions)
                    collected[source] = [Gradient(source, start)]
                continue
            results = [Source(operation.number, position) for position in range(len(operation.shapes))]
            for result in results:
                if result not in self.unknown and result in collected:
                    self.gradients[result] = plus([part.signal for part in collected[result]])
            given = self._given(operation, results)
            if given is None:
                continue
            parts = collected.get(results[0], []) if results else []
            found = NotImplemented if self.unknown.intersection(results) else self._found(operation, given, parts)
            if found is NotImplemented:
                self.unknown.update(operation.inputs)
                continue
            if operation.kind == "attention":
                # Scores that are added, such as relative positions from a network.
                self.unknown.update(set(operation.inputs) - {part.source for part in found})
            for part in found:
                place = self.forward.units(part.source), self.forward.positions(part.source)
                collected.setdefault(part.source, []).append(part._replace(signal=part.signal.at(*place)))
        return self

    def _given(self, operation: Operation, results: list[Source]) -> Signal | None:
        """Return the gradient of an operation's results; that of several is the mean over their values."""
        if self.unknown.intersection(results):
            return Signal(0.0)
        known = [
            (self.gradients[r], shape)
            for r, shape in zip(results, operation.shapes, strict=True)
            if r in self.gradients
        ]
        if len(results) <= 1 or not known:
            return known[0][0] if known else None
        total = sum(prod(shape) for shape in operation.shapes)
        parts = [gradient.scaled((prod(shape) / total) ** 0.5) for gradient, shape in known]
        return plus(parts)

    def _found(self, operation: Operation, gradient: Signal, parts: Gradients) -> Any:
        try:
            return self._before(operation, gradient, parts)
        except InvalidParameterError:
            # A function without a derivative that has a mean over a normal distribution.
            return NotImplemented

    def _before(self, operation: Operation, gradient: Signal, parts: Gradients) -> Any:
        signals = self.forward.signals
        if operation.activation is not None and operation.variable is not None and rule_of(operation) is not None:
            variable = operation.variable
            if variable not in signals:
                return NotImplemented
            of = signals[variable]
            return [Gradient(variable, p.signal.times_slope(operation.activation, of, p.largest)) for p in parts]
        inputs = [source for source in operation.inputs if source in signals]
        if operation.is_weighted:
            return self._before_layer(operation, gradient, inputs)
        rule = _RULES.get(operation.name) or _RULES.get(operation.kind)
        if rule is None or not inputs or operation.number in self.forward.unknown:
            return NotImplemented if inputs else []
        return rule(_Back(operation, gradient, inputs, self.forward))

    def _before_layer(self, operation: Operation, gradient: Signal, inputs: list[Source]) -> Any:
        if any(use.how == "looked up" for use in operation.uses):
            return []
        sums = self.sums_of(operation)
        if sums is None or len(inputs) != 1:
            return NotImplemented
        source = inputs[0]
        units, positions = self.forward.units(source), self.forward.positions(source)
        per_value = prod(operation.shape) / prod(self.forward.graph.shape(source))
        removed = removed_share(sums.orthogonal, units, gradient.units)
        terms = max(round(sums.terms * per_value), 1)
        return [
            Gradient(
                source,
                gradient.through_layer(sums.gain * per_value, 0.0, units, positions, fan_in=terms, removed=removed),
            )
        ]


@dataclass
class _Back:
    """An operation with the gradient of its result."""

    operation: Operation
    gradient: Signal
    inputs: list[Source]
    forward: Propagation

    def signal(self, source: Source) -> Signal:
        return self.forward.signals[source]

    def size(self, source: Source) -> int:
        return prod(self.forward.graph.shape(source))

    @property
    def step(self) -> Step:
        return self.forward.step(self.operation)


def _to_each(back: _Back) -> Gradients:
    """Return the gradient for each input; one that is repeated gets the sum over its copies."""
    total, found = prod(back.operation.shape), []
    arguments = back.step.sources()
    for source in back.inputs:
        copies = total / back.size(source)
        gradient = back.gradient
        if back.operation.kind == "concatenation":
            copies = 1.0
        if copies > 1:
            gradient = _over_copies(gradient, copies)
        elif copies < 1:
            # The other values have no effect.
            gradient = gradient.scaled(copies**0.5)
        times_given = max(arguments.count(source), 1)
        found.append(Gradient(source, gradient.scaled(float(times_given)) if times_given > 1 else gradient))
    return found


def _over_copies(gradient: Signal, copies: float) -> Signal:
    """Return the sum of the gradients of equal values at several positions."""
    square = copies * (gradient.square + (copies - 1) * gradient.shared)
    return replace(gradient, square=square, between=copies**2 * gradient.shared)


def _of_factors(back: _Back) -> Any:
    sources = back.step.sources()
    if len(sources) == 2 and back.operation.name == "mul":
        if sources[0] == sources[1]:
            return NotImplemented
        found: Gradients = []
        for own, other in (sources, sources[::-1]):
            product = times(back.gradient, back.signal(other))
            found.append(Gradient(own, _over_copies(product, prod(back.operation.shape) / back.size(own))))
        return found
    return _by_ratio(back)


def _by_ratio(back: _Back) -> Any:
    """Return the gradient of a signal that was multiplied by what does not depend on its values."""
    sources = back.step.sources()
    factors = [back.operation.argument(i, name) for i, name in enumerate(("input", "other"))]
    constants = [value for value in factors if isinstance(value, int | float | torch.Tensor)]
    if len(sources) != 1 or len(constants) != 1:
        return NotImplemented
    constant = constants[0]
    if back.operation.name == "div":
        constant = reciprocal(constant)
    (_, square), _ = back.step.statistics(constant)
    return [Gradient(back.inputs[0], back.gradient.affine((square**0.5, square)))]


def _of_normalization(back: _Back) -> Any:
    """Return the gradient before a normalization: divided by the standard deviation, without what the means remove."""
    if len(back.inputs) != 1:
        return NotImplemented
    source, rule = back.inputs[0], rule_of(back.operation)
    assert rule is not None
    given, after = back.signal(source), rule(back.step)
    # It multiplies differences between two samples by one factor.
    differing = (given.square - given.across, after.square - after.across)
    factor = differing[1] / differing[0] if differing[0] > 0 else 0.0
    gradient = back.gradient
    of_mean = gradient.shared + (gradient.square - gradient.shared) / gradient.positions
    removed = (of_mean + gradient.square / gradient.positions) / _values_of_mean(back)
    left = replace(gradient, square=max(gradient.square - removed, 0.0), between=gradient.shared - removed)
    return [Gradient(source, left.affine((factor**0.5, factor)))]


def _values_of_mean(back: _Back) -> float:
    """Return how many units or samples, at all positions, a normalization takes its means over."""
    units, name = back.forward.units(back.inputs[0]), back.operation.name
    if name == "group_norm":
        return max(units / int(back.operation.argument(1, "num_groups")), 1.0)
    if name == "batch_norm":
        # Many samples.
        return float("inf")
    return 1.0 if name == "instance_norm" else float(units * back.gradient.positions)


def _of_mean(back: _Back) -> Gradients:
    source = back.inputs[0]
    n_values, n_results = back.size(source), prod(back.operation.shape)
    n = back.step.window()
    factor = n_results * n / n_values / n**2
    gradient = back.gradient
    positions = back.forward.positions(source)
    same = 1.0 if gradient.positions == 1 else min((n - 1) / max(positions - 1, 1), 1.0)
    between = same * gradient.square + (1 - same) * gradient.shared
    return [Gradient(source, replace(gradient, square=factor * gradient.square, between=factor * between))]


def _of_largest(back: _Back) -> Gradients:
    source = back.inputs[0]
    factor = prod(back.operation.shape) / back.size(source)
    return [Gradient(source, back.gradient.scaled(factor**0.5), back.step.window())]


def _of_dropout(back: _Back) -> Gradients:
    active = back.operation.argument(2, "training", True)
    gradient = back.gradient.dropped(back.operation.argument(1, "p", 0.5)) if active else back.gradient
    return [Gradient(back.inputs[0], gradient)]


def _of_attention(back: _Back) -> Any:
    weights = AttentionWeights.of(back.step)
    if weights is None:
        return NotImplemented
    gradient, n, key, value = back.gradient, max(back.gradient.positions, 1), weights.key, weights.value
    of_value = replace(
        gradient,
        square=weights.own * gradient.square + (n - 1) * weights.common * gradient.shared,
        between=weights.common * gradient.square + gradient.shared,
    )
    of_scores = weights.own * gradient.square * max(value.square - value.shared, 0.0)
    of_query = replace(gradient, square=of_scores * max(key.square - key.shared, 0.0), between=0.0)
    of_key = replace(gradient, square=of_scores * weights.query.square, between=0.0)
    packed = back.operation.function is None
    # Inputs that are packed into one tensor are parts of its units.
    shares = [weights.sources.count(source) ** -0.5 if packed else 1.0 for source in weights.sources]
    found = zip(weights.sources, (of_query, of_key, of_value), shares, strict=False)
    return [Gradient(source, part.scaled(share)) for source, part, share in found if source is not None]


_RULES: dict[str, Callable[[_Back], Any]] = {
    **dict.fromkeys(("sum", "reshape", "concatenation", "neg", "masked_fill", "pad"), _to_each),
    "elementwise product": _of_factors, "normalization": _of_normalization, "dropout": _of_dropout,
    "attention": _of_attention, "mean": _of_mean,
    **{f"{kind}avg_pool{d}d": _of_mean for kind in ("", "adaptive_") for d in (1, 2, 3)},
    **{f"{kind}max_pool{d}d": _of_largest for kind in ("", "adaptive_") for d in (1, 2, 3)},
}  # fmt: skip
