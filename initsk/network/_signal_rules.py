"""Rules for the statistics of a signal after each of torch's functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from initsk.network._axes import POSITION, UNIT, Axes
from initsk.network._find_activations import ACTIVATION_NAMES, FunctionOfFirst
from initsk.network._operations import Operation, ParameterUse, Source, tensors_in, words
from initsk.theory import Signal, mixture, plus, sum_of_squared_weights, summed_products, times

# Masked scores of attention are below this.
_MASKED = -1e4
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
    """

    operation: Operation
    signals: dict[Source, Signal]
    axes: dict[Source, Axes]
    shape_of: Callable[[Source], tuple[int, ...]]
    parameter: Callable[[Operation, torch.Tensor, ParameterUse], Pair]
    exact: bool = False

    @property
    def result(self) -> Source:
        """The first result of the operation."""
        return Source(self.operation.number)

    def value(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument of the call: a signal in place of its source, or the argument as it was given."""
        return self._resolved(self.operation.argument(position, name, default))

    def sources(self) -> list[Source]:
        """Return the signals' sources among the arguments, also those in lists; one that is given twice is twice there."""
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
        return prod(n for n, axis in zip(self.shape_of(source), self.axes[source], strict=True) if axis == meaning)

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

    def weights_of_attention(self) -> Pair:
        """Return the sum of the squared weights of a query, and the sum of the products of two queries' weights."""
        sources = self.sources()
        query, key = (self.signals[source] for source in (sources * 2)[:2])
        width, scale = self.shape_of(sources[0])[-1], self.operation.keywords.get("scale")
        factor = 1.0 if scale is None else width * scale**2
        scores = 0.0 if self.exact else factor * query.square * (key.square - key.shared)
        visible = _visible_keys(self, _n_keys(self))
        return float(np.mean([sum_of_squared_weights(int(n), scores) for n in visible])), float(np.mean(1 / visible))

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, Source):
            return self.signals.get(value, value)
        return type(value)(self._resolved(v) for v in value) if isinstance(value, list | tuple) else value


Rule = Callable[[Step], Any]


def pair_of(tensor: torch.Tensor) -> Pair:
    """Return mean and mean square of the values of a tensor."""
    values = tensor.detach().double()
    return float(values.mean()), float(values.square().mean())


def _elementwise(step: Step) -> Any:
    call = step.operation
    if len(step.sources()) != 1 or call.function is None:
        return NotImplemented
    rest = call.arguments[1:] if isinstance(call.arguments[:1], tuple) and call.arguments else ()
    keywords = {key: value for key, value in call.keywords.items() if key not in ("input", "inplace", "training")}
    if any(isinstance(value, Source | torch.Tensor) for value in (*rest, *keywords.values())):
        return NotImplemented
    return step.first.through(FunctionOfFirst(call.function, tuple(rest), keywords))


def _same(step: Step) -> Signal:
    return step.first.moved()


def _prelu(step: Step) -> Any:
    slope = step.operation.argument(1, "weight")
    return (
        step.first.through(nn.LeakyReLU(step.statistics(slope)[0][0]))
        if isinstance(slope, torch.Tensor)
        else NotImplemented
    )


def _sum(step: Step, sign: float = 1.0) -> Any:
    first, second = (step.operation.argument(i, name) for i, name in enumerate(("input", "other")))
    factor = sign * step.operation.keywords.get("alpha", 1)
    if first == second and isinstance(first, Source):
        return step.signals[first].scaled(1 + factor)
    signs = (1.0, factor) if step.operation.name != "rsub" else (-1.0, 1.0)
    signals, constants = _parted(step, (first, second), signs)
    if signals is None:
        return NotImplemented
    total = signals[0] if len(signals) == 1 else plus(signals)
    for (mean, square), shared in constants:
        shifted = total.affine(shift=(mean, square))
        total = shifted if shared else shifted.differing(square)
    return total


def _parted(step: Step, operands: Sequence[Any], factors: Sequence[float]) -> tuple[list[Signal] | None, list[Any]]:
    """Return the signals among two operands, and mean and mean square of the others; None if one is unknown."""
    signals, constants = [], []
    for operand, factor in zip(operands, factors, strict=True):
        if isinstance(operand, Source):
            if operand not in step.signals:
                return None, []
            signals.append(step.signals[operand].scaled(factor) if factor != 1 else step.signals[operand])
        elif isinstance(operand, int | float | torch.Tensor):
            (mean, square), shared = step.statistics(operand)
            constants.append(((factor * mean, factor**2 * square), shared))
        else:
            return None, []
    return (signals or None), constants


def _product(step: Step) -> Any:
    first, second = (step.operation.argument(i, name) for i, name in enumerate(("input", "other")))
    if isinstance(first, Source) and first == second:
        return step.signals[first].through(np.square)
    signals, constants = _parted(step, (first, second), (1.0, 1.0))
    if signals is None:
        return NotImplemented
    return times(*signals) if len(signals) == 2 else signals[0].affine(constants[0][0])


def _quotient(step: Step) -> Any:
    first, second = (step.operation.argument(i, name) for i, name in enumerate(("input", "other")))
    if step.operation.name == "rdiv":
        first, second = second, first
    if isinstance(second, Source) and second in step.signals:
        divisor = step.signals[second].through(np.reciprocal)
        if isinstance(first, Source) and first in step.signals:
            return times(step.signals[first], divisor)
        return (
            divisor.affine(step.statistics(first)[0])
            if isinstance(first, int | float | torch.Tensor)
            else NotImplemented
        )
    if not isinstance(first, Source) or not isinstance(second, int | float | torch.Tensor):
        return NotImplemented
    reciprocal = 1 / second if isinstance(second, int | float) else second.detach().double().reciprocal()
    return step.signals[first].affine(step.statistics(reciprocal)[0])


def _concatenation(step: Step) -> Any:
    sources = step.sources()
    parts = step.operation.argument(0, "tensors")
    if not isinstance(parts, list | tuple) or len(sources) != len(parts):
        return NotImplemented
    signals = [step.signals[source] for source in sources]
    return signals[0] if len(set(sources)) == 1 else mixture(signals, [prod(step.shape_of(s)) for s in sources])


def _dropout(step: Step) -> Signal:
    active = step.operation.argument(2, "training", True)
    return step.first.dropped(step.operation.argument(1, "p", 0.5)) if active else step.first


def _glu(step: Step) -> Signal:
    return times(step.first, step.first.through("sigmoid"))


def _pad(step: Step) -> Any:
    if step.operation.argument(2, "mode", "constant") != "constant":
        return step.first
    value = float(step.operation.argument(3, "value") or 0.0)
    inside = prod(step.shape_of(step.sources()[0]))
    outside = prod(step.shape_of(step.result)) - inside
    added = Signal(value**2, value, value**2, value**2, step.first.units, step.first.positions)
    return mixture([step.first, added], [inside, outside]) if outside > 0 else step.first


def _pool(of: Callable[[Signal, int], Signal], step: Step) -> Signal:
    """Return a statistic of as many elements as a window of the pooling has."""
    size, dimensions = step.operation.argument(1, "kernel_size"), int(step.operation.name[-2])
    n = size**dimensions if isinstance(size, int) else prod(size) ** (dimensions if len(size) == 1 else 1)
    return of(step.first, n)


def _reduce(of: Callable[[Signal, int], Signal], step: Step) -> Any:
    """Return a statistic of all input elements that an output element depends on; units are many."""
    source = step.sources()[0]
    n = prod(step.shape_of(source)) // max(prod(step.shape_of(step.result)), 1)
    over_units = step.size(source, UNIT) > step.size(step.result, UNIT) if step.shape_of(step.result) else True
    if over_units and not step.exact:
        return step.first.over_units() if of is Signal.averaged else NotImplemented
    return of(step.first, n)


def _sum_over(step: Step) -> Any:
    source = step.sources()[0]
    mean = _reduce(Signal.averaged, step)
    n = prod(step.shape_of(source)) // max(prod(step.shape_of(step.result)), 1)
    return mean if mean is NotImplemented else mean.scaled(float(n))


def _affine_of_norm(step: Step, signal: Signal, weight: Any, bias: Any) -> Any:
    factor = step.statistics(weight)[0] if isinstance(weight, torch.Tensor) else (1.0, 1.0)
    shift = step.statistics(bias)[0] if isinstance(bias, torch.Tensor) else (0.0, 0.0)
    return signal.affine(factor, shift)


def _layer_norm(step: Step) -> Any:
    signal, call = step.first, step.operation
    removed = signal.mean**2
    normalized = signal.standardized(removed, removed, _epsilon(step, 4))
    return _affine_of_norm(step, normalized, call.argument(2, "weight"), call.argument(3, "bias"))


def _group_norm(step: Step) -> Any:
    signal, call = step.first, step.operation
    units = max(step.size(step.sources()[0], UNIT) // int(call.argument(1, "num_groups")), 1)
    normalized = signal.standardized(*_means_of(signal, units), _epsilon(step, 4))
    return _affine_of_norm(step, normalized, call.argument(2, "weight"), call.argument(3, "bias"))


def _instance_norm(step: Step) -> Any:
    signal, call = step.first, step.operation
    normalized = signal.standardized(*_means_of(signal, 1), _epsilon(step, 7))
    return _affine_of_norm(step, normalized, call.argument(3, "weight"), call.argument(4, "bias"))


def _means_of(signal: Signal, units: int) -> Pair:
    """Return the mean square of means over positions and groups of units, and their mean product in two samples."""
    common = signal.mean**2
    over_positions = signal.shared + (signal.square - signal.shared) / signal.positions
    return common + (over_positions - common) / units, common + (signal.across - common) / units


def _batch_norm(step: Step) -> Any:
    signal, call = step.first, step.operation
    affine = call.argument(3, "weight"), call.argument(4, "bias")
    mean, variance = call.argument(1, "running_mean"), call.argument(2, "running_var")
    if call.argument(5, "training", False) or mean is None or step.exact:
        normalized = signal.standardized(signal.across, signal.across, _epsilon(step, 7), in_batch=True)
        return _affine_of_norm(step, normalized, *affine)
    scale = (variance.detach().double() + call.argument(7, "eps", 1e-5)).rsqrt()
    return _affine_of_norm(step, signal.affine(pair_of(scale), pair_of(-mean.double() * scale)), *affine)


def _rms_norm(step: Step) -> Any:
    normalized = step.first.divided_by_rms(_epsilon(step, 3))
    return _affine_of_norm(step, normalized, step.operation.argument(2, "weight"), None)


def _epsilon(step: Step, position: int) -> float:
    return 0.0 if step.exact else float(step.operation.argument(position, "eps") or 0.0)


def _softmax(step: Step) -> Signal:
    source = step.sources()[0]
    n = step.shape_of(source)[step.operation.argument(1, "dim", -1)]
    variance = 0.0 if step.exact else max(step.first.square - step.first.between, 0.0)
    own = 1 / n + 1 / n if step.exact else sum_of_squared_weights(n, variance)
    return Signal(own / n, 1 / n, 1 / n**2, 1 / n**2, keys=n)


def _between_signals(step: Step) -> Any:
    """Products of two signals: scores of queries and keys, or means of values with the weights of attention."""
    sources = step.sources()
    if len(sources) != 2 or step.operation.name in ("bilinear", "outer", "kron"):
        return NotImplemented
    first, second = (step.signals[source] for source in sources)
    for weights, values in ((first, second), (second, first)):
        if weights.keys:
            return values.attended(weights.square * weights.keys, 1 / weights.keys)
    n = _summed(step, sources)
    return NotImplemented if n is None else summed_products(first, second, n)


def _summed(step: Step, sources: list[Source]) -> int | None:
    """Return over how many products a product of two tensors sums."""
    shapes = [step.shape_of(source) for source in sources]
    if step.operation.name != "einsum":
        return shapes[0][-1]
    terms, _, output = step.operation.arguments[0].replace(" ", "").partition("->")
    letters = {
        letter: n for term, shape in zip(terms.split(","), shapes, strict=True) for letter, n in zip(term, shape)
    }
    return prod(n for letter, n in letters.items() if letter not in output)


def _attention(step: Step) -> Any:
    """Return means of the values: the weights are a softmax of normal scores, as at initialization."""
    sources = step.sources()
    return step.signals[sources[-1]].attended(*step.weights_of_attention())


def _n_keys(step: Step) -> int:
    call, sources = step.operation, step.sources()
    source = sources[1] if len(sources) == 3 else sources[0]
    shape = step.shape_of(source)
    # torch's own module passes the packed projections.
    return shape[-2] if call.function is not None else step.size(source, POSITION)


def _visible_keys(step: Step, n_keys: int) -> np.ndarray:
    """Return for each query the number of keys that a mask leaves."""
    mask = step.operation.argument(3, "attn_mask")
    if step.operation.argument(5, "is_causal", False):
        return np.arange(1, n_keys + 1)
    if isinstance(mask, torch.Tensor) and type(mask) is torch.Tensor and not mask.is_meta:
        visible = mask if mask.dtype == torch.bool else mask > _MASKED
        return np.maximum(visible.expand(*visible.shape[:-1], n_keys).sum(-1).flatten().cpu().numpy(), 1)
    return np.array([n_keys])


_ELEMENTWISE = ACTIVATION_NAMES | words(
    "abs atan clamp clamp_max clamp_min cos sin exp log pow square sqrt rsqrt reciprocal threshold sign erf"
)
_SAME = words("alpha_dropout feature_alpha_dropout interpolate upsample grid_sample masked_fill where nan_to_num")
_RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_SAME, _same),
    "add": _sum, "rsub": _sum, "sub": lambda step: _sum(step, -1.0), "mul": _product, "div": _quotient,
    "rdiv": _quotient, "neg": lambda step: step.first.scaled(-1.0), "glu": _glu, "softmax": _softmax, "pad": _pad,
    "mean": lambda step: _reduce(Signal.averaged, step), "amax": lambda step: _reduce(Signal.largest, step),
    "sum": _sum_over, "layer_norm": _layer_norm, "group_norm": _group_norm, "instance_norm": _instance_norm,
    "batch_norm": _batch_norm, "rms_norm": _rms_norm, "scaled_dot_product_attention": _attention,
    **dict.fromkeys(words("dropout dropout1d dropout2d dropout3d feature_dropout"), _dropout),
    **dict.fromkeys(words("cat concat stack"), _concatenation),
    **dict.fromkeys(words("matmul bmm einsum mm baddbmm"), _between_signals),
}  # fmt: skip
for _d in (1, 2, 3):
    _RULES |= {
        f"avg_pool{_d}d": lambda step: _pool(Signal.averaged, step),
        f"max_pool{_d}d": lambda step: _pool(Signal.largest, step),
        f"adaptive_avg_pool{_d}d": lambda step: _reduce(Signal.averaged, step),
        f"adaptive_max_pool{_d}d": lambda step: _reduce(Signal.largest, step),
    }


def rule_of(operation: Operation) -> Rule | None:
    """Return the rule of an operation, or None."""
    if operation.name == "prelu":
        return _prelu
    if operation.activation is not None and operation.variable is not None:
        return lambda step: step.signals[operation.variable].through(operation.activation)
    if operation.kind == "reshape":
        return _same
    return _RULES.get(operation.name)
