"""Audit of how weights were drawn: fans of packed projections, and bounds that truncate nothing."""

import inspect
from collections.abc import Iterator
from functools import partial
from math import exp, log, prod, sqrt
from typing import Any

import torch
from torch import nn

from initsk.diagnosis._audit_subject import CheckResult, Flagged, Subject, label_of, values_of
from initsk.initializers import FromCallable, FromFramework, InitializerLike, TruncatedNormal, get_initializer
from initsk.network import ParameterSpec, PlannedParameter
from initsk.utils.torch_settings import in_double

# A uniform distribution has the kurtosis 1.8, and a normal one 3.
_UNIFORM = 2.1
# Fewer values do not tell one variance from another.
_MIN_VALUES = 500
# Standard errors within which a variance is that of a rule: 5 in 10,000 draws are beyond.
_WITHIN = 3.5
# The largest of n uniform values is lower than the bound by more than 15 / n in 3 of 10 million draws.
_BELOW_BOUND = 15
# The bounds of torch's ``trunc_normal_``, which are not relative to its standard deviation.
_BOUND = 2.0


def find_packed(subject: Subject) -> Iterator[CheckResult]:
    """Find stacked matrices whose variance is that of a rule for one large matrix."""
    for planned in subject.weights:
        factor = _packing_factor(planned)
        if factor is not None:
            # torch draws the packed projections of its attention in this way on purpose.
            by_torch = isinstance(planned.module, nn.MultiheadAttention)
            yield from Flagged(label_of(planned), "packed", factor, "weights", not by_torch).findings()


def _packing_factor(planned: PlannedParameter) -> float | None:
    """Return by which factor the standard deviation differs from that of each block, or None if the fans are right."""
    spec, stored = planned.specs[0], tuple(planned.tensor.shape)
    blocks = sum(one.count for one in planned.specs)
    if spec.kind not in ("dense", "attention", "recurrent") or planned.deliberate or planned.tensor.is_complex():
        return None
    # torch counts the values along further axes as positions of a kernel.
    if (blocks == 1 and len(stored) < 3) or planned.tensor.numel() < _MIN_VALUES:
        return None
    sample = _Sample(values_of(planned))
    if not sample.variance or any(sample.fits(variance) for variance in _rules_of_block(spec)) or sample.is_round():
        return None
    for whole, block in _rules_of_whole(spec, stored):
        if sample.fits(whole):
            return exp(abs(log(block / whole)) / 2)
    return None


class _Sample:
    """Moments of drawn weights, and whether they fit a variance."""

    def __init__(self, values: torch.Tensor) -> None:
        squares = in_double(values).square()
        self.n = values.numel()
        self.variance = float(squares.mean())
        self.largest = float(values.abs().max())
        kurtosis = float(squares.square().mean()) / self.variance**2 if self.variance else 3.0
        self.is_uniform = kurtosis < _UNIFORM
        self.error = sqrt(max(kurtosis - 1, 0.0) / self.n)

    def fits(self, variance: float) -> bool:
        """Return whether the values may have been drawn with this variance."""
        if abs(log(self.variance / variance)) > _WITHIN * self.error:
            return False
        bound = sqrt(3 * variance)
        return not self.is_uniform or bound * (1 - _BELOW_BOUND / self.n) <= self.largest <= bound * 1.0001

    def is_round(self) -> bool:
        """Return whether the standard deviation may be a number with one digit, such as 0.02."""
        std = sqrt(self.variance)
        step = 10.0 ** int(f"{std:e}".partition("e")[2])
        return self.fits((round(std / step) * step) ** 2)


def _rules_of_block(spec: ParameterSpec) -> list[float]:
    """Return the variances that a block may have by the usual rules."""
    n_out, n_in = spec.matrix_shape
    rules = [2 / (n_in + n_out), 2 / n_in, 2 / n_out, 1 / n_in, 1 / (3 * n_in)]
    # torch's default of recurrent layers, where the rows of a gate are the hidden units; and that of GPT-NeoX.
    return [*rules, 1 / (3 * n_out) if spec.kind == "recurrent" else 2 / (5 * n_in)]


def _rules_of_whole(spec: ParameterSpec, stored: tuple[int, ...]) -> Iterator[tuple[float, float]]:
    """Yield the variance of each rule with torch's fans of the stored tensor, and with those of a block."""
    n_out, n_in = spec.matrix_shape
    receptive = prod(stored[2:])
    fan_in, fan_out = stored[1] * receptive, stored[0] * receptive
    yield 2 / (fan_in + fan_out), 2 / (n_in + n_out)
    yield 2 / fan_out, 2 / n_out
    if fan_in != n_in:
        # An axis of blocks, or of inputs that are stored first, counts as something else.
        for scale in (2, 1, 1 / 3):
            yield scale / fan_in, scale / n_in


def find_untruncated(subject: Subject) -> Iterator[CheckResult]:
    """Find truncations that cut nothing: weights on bounds far from all others, and bounds of given initializers."""
    for planned in subject.weights:
        place = _far_bound(values_of(planned))
        if place is not None:
            yield from Flagged(label_of(planned), "untruncated", place, "weights").findings()
    for initializer in subject.initializers:
        bounds = truncation_of(initializer)
        if bounds is not None:
            name = str(initializer)
            yield from Flagged("", "untruncated", bounds, "initializer", False, name).findings()


def _far_bound(values: torch.Tensor) -> float | None:
    """Return how many standard deviations away torch's bound is, if some weights lie on it and no others near it."""
    sizes = values.abs()
    if not sizes.numel() or float(sizes.max()) != _BOUND:
        return None
    inside = sizes[sizes < _BOUND]
    if not len(inside) or not 0 < float(inside.max()) < _BOUND / 2:
        return None
    return _BOUND / float(in_double(inside).square().mean().sqrt())


def truncation_of(initializer: InitializerLike) -> float | None:
    """Return how many standard deviations from the mean an initializer truncates; None if it is not known to do so.

    The values of a weight do not tell whether they were meant to be truncated. The parameters of an initializer do.

    Parameters
    ----------
    initializer : str, Initializer or callable
        `TruncatedNormal`, a name such as ``"torch.trunc_normal_"``, or ``trunc_normal_`` of torch or timm with its
        arguments in a `functools.partial`. The bounds of ``trunc_normal_`` are absolute numbers, -2 and 2 by default.

    Returns
    -------
    float or None

    Examples
    --------
    >>> from functools import partial
    >>> from initsk.diagnosis import truncation_of
    >>> truncation_of("truncated_normal"), truncation_of(partial(nn.init.trunc_normal_, std=0.02))
    (2.0, 100.0)
    """
    found: Any = get_initializer(initializer)
    if isinstance(found, FromFramework):
        found = found.equivalent
    if isinstance(found, TruncatedNormal):
        lower, upper = found.limits
        return min(-lower, upper)
    return _bounds_of_call(found.function) if isinstance(found, FromCallable) else None


def _bounds_of_call(function: Any) -> float | None:
    given = dict(function.keywords) if isinstance(function, partial) else {}
    function = function.func if isinstance(function, partial) else function
    if getattr(function, "__name__", "") != "trunc_normal_":
        return None
    defaults = {name: one.default for name, one in inspect.signature(function).parameters.items()}
    mean, std, low, high = ((defaults | given).get(name) for name in ("mean", "std", "a", "b"))
    try:
        # Defaults have no declared type; a value that is no number ends in the TypeError.
        return min(mean - low, high - mean) / std  # type: ignore[operator]
    except (TypeError, ZeroDivisionError):
        return None
