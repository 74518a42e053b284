"""Rules for the statistics of a signal after each of torch's functions."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from initsk.network._axes import POSITION, SAMPLE, UNIT
from initsk.network._find_activations import ACTIVATION_NAMES, FunctionOfFirst
from initsk.network._operations import Operation, Source, words
from initsk.network._signal_rules_of_attention import ATTENTION_RULES
from initsk.network._signal_rules_of_norms import NORM_RULES
from initsk.network._signal_step import MASKED, Step, reciprocal
from initsk.theory import Signal, mixture, plus, times

Rule = Callable[[Step], Any]


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


def _masked_fill(step: Step) -> Any:
    mask, value = step.operation.argument(1, "mask"), step.operation.argument(2, "value")
    if step.exact:
        return step.first.moved()
    if not isinstance(mask, torch.Tensor) or not isinstance(value, int | float) or value > MASKED:
        return NotImplemented
    return replace(step.first, visible=step.visible(~mask))


def _prelu(step: Step) -> Any:
    slope = step.operation.argument(1, "weight")
    if not isinstance(slope, torch.Tensor):
        return NotImplemented
    return step.first.through(nn.LeakyReLU(step.statistics(slope)[0][0]))


def _sum(step: Step, sign: float = 1.0) -> Any:
    first, second = (step.operation.argument(i, name) for i, name in enumerate(("input", "other")))
    factor = sign * step.operation.keywords.get("alpha", 1)
    if first == second and isinstance(first, Source):
        return step.signals[first].scaled(1 + factor)
    if step.depend(first, second):
        return NotImplemented
    signs = (1.0, factor) if step.operation.name != "rsub" else (-1.0, 1.0)
    signals, constants = _parted(step, (first, second), signs)
    if signals is None:
        return NotImplemented
    total = signals[0] if len(signals) == 1 else plus(signals)
    if not step.exact and (mask := next(filter(_is_mask, (first, second)), None)) is not None:
        return replace(total, visible=step.visible(mask > MASKED))
    for (mean, square), shared in constants:
        shifted = total.affine(shift=(mean, square))
        total = shifted if shared else shifted.differing(square)
    return total


def _is_mask(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not value.is_meta and bool((value <= MASKED).any())


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
    if step.depend(first, second):
        return NotImplemented
    signals, constants = _parted(step, (first, second), (1.0, 1.0))
    if signals is None:
        return NotImplemented
    return times(*signals) if len(signals) == 2 else signals[0].affine(constants[0][0])


def _quotient(step: Step) -> Any:
    first, second = (step.operation.argument(i, name) for i, name in enumerate(("input", "other")))
    if step.operation.name == "rdiv":
        first, second = second, first
    numbers = int | float | torch.Tensor
    if isinstance(second, Source) and second in step.signals:
        divisor = step.signals[second].through(np.reciprocal)
        if isinstance(first, Source) and first in step.signals:
            return times(step.signals[first], divisor)
        return divisor.affine(step.statistics(first)[0]) if isinstance(first, numbers) else NotImplemented
    if not isinstance(first, Source) or not isinstance(second, numbers):
        return NotImplemented
    return step.signals[first].affine(step.statistics(reciprocal(second))[0])


def _concatenation(step: Step) -> Any:
    parts = step.operation.argument(0, "tensors")
    if not isinstance(parts, list | tuple):
        return NotImplemented
    signals, sizes = [], []
    for part in parts:
        if isinstance(part, torch.Tensor):
            # A parameter, such as a class token, has the same values in all samples.
            (mean, square), _ = step.statistics(part)
            signals.append(Signal(square, mean, square, square))
            sizes.append(part.numel())
        elif part in step.signals:
            signals.append(step.signals[part])
            sizes.append(prod(step.shape_of(part)))
        else:
            return NotImplemented
    if step.exact:
        return signals[0] if len(set(parts)) == 1 else mixture(signals, sizes)
    along = step.axes[step.result][step.operation.argument(1, "dim", 0)]
    return mixture(signals, sizes, of_positions=along == POSITION)


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


def _interpolation(step: Step) -> Any:
    nearest = str(step.operation.argument(3, "mode", "nearest")).startswith("nearest")
    # Other modes take means of neighbors, whose products are not known.
    return step.first.moved() if nearest or step.exact else NotImplemented


def _reduce(of: Callable[[Signal, int], Signal], step: Step) -> Any:
    """Return a statistic of all input elements that an output element depends on; units are many."""
    source = step.sources()[0]
    n = step.ratio()
    over_units = step.size(source, UNIT) > step.size(step.result, UNIT) if step.shape_of(step.result) else True
    if step.size(source, SAMPLE) > step.size(step.result, SAMPLE):
        # A mean over samples depends on how many there are.
        return NotImplemented
    if over_units and not step.exact:
        return step.first.over_units(n) if of is Signal.averaged else NotImplemented
    return of(step.first, n)


def _sum_over(step: Step) -> Any:
    mean = _reduce(Signal.averaged, step)
    return mean if mean is NotImplemented else mean.scaled(float(step.ratio()))


_ELEMENTWISE = ACTIVATION_NAMES | words(
    "abs atan clamp clamp_max clamp_min cos sin exp log pow square sqrt rsqrt reciprocal threshold sign erf"
)
_SAME = words("alpha_dropout feature_alpha_dropout")
_RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_SAME, _same),
    **NORM_RULES,
    **ATTENTION_RULES,
    "add": _sum, "rsub": _sum, "sub": lambda step: _sum(step, -1.0), "mul": _product, "div": _quotient,
    "rdiv": _quotient, "neg": lambda step: step.first.scaled(-1.0), "glu": _glu, "pad": _pad,
    "mean": lambda step: _reduce(Signal.averaged, step), "amax": lambda step: _reduce(Signal.largest, step),
    "sum": _sum_over, "interpolate": _interpolation, "masked_fill": _masked_fill,
    **dict.fromkeys(words("dropout dropout1d dropout2d dropout3d feature_dropout"), _dropout),
    **dict.fromkeys(words("cat concat stack"), _concatenation),
}  # fmt: skip
for _d in (1, 2, 3):
    _RULES |= {
        f"avg_pool{_d}d": lambda step: step.first.averaged(step.window()),
        f"max_pool{_d}d": lambda step: step.first.largest(step.window()),
        f"adaptive_avg_pool{_d}d": lambda step: _reduce(Signal.averaged, step),
        f"adaptive_max_pool{_d}d": lambda step: _reduce(Signal.largest, step),
    }


def rule_of(operation: Operation) -> Rule | None:
    """Return the rule of an operation, or None."""
    if operation.name == "prelu":
        return _prelu
    if operation.activation is not None and operation.variable is not None:
        variable = operation.variable
        return lambda step: step.signals[variable].through(operation.activation)
    if operation.kind == "reshape":
        return _same
    return _RULES.get(operation.name)
