"""Rules for the statistics of a signal after attention, whole or written out as products and a softmax."""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch

from initsk.network._axes import POSITION, UNIT
from initsk.network._operations import Source, words
from initsk.network._signal_step import MASKED, Step, pair_of
from initsk.theory import Signal, sum_of_squared_weights, summed_products


def _softmax(step: Step) -> Signal:
    source = step.sources()[0]
    axis = step.operation.argument(1, "dim", -1)
    n = step.shape_of(source)[axis]
    if step.exact:
        return Signal(2 / n**2, 1 / n)
    scores = step.first
    # Keys share a part of their scores; units share only the mean.
    common = scores.mean**2 if step.axes[source][axis] == UNIT else scores.between
    visible = np.array([n]) if scores.visible is None else scores.visible
    variance = max(scores.square - common, 0.0)
    own = float(np.mean([sum_of_squared_weights(int(k), variance) for k in visible]))
    return Signal(own / n, 1 / n, float(np.mean(1 / visible)) / n, 1 / n**2, keys=n)


def _between_signals(step: Step) -> Any:
    """Products of two signals: scores of queries and keys, or means of values with the weights of attention."""
    sources = step.sources()
    if len(sources) != 2 or step.operation.name in ("bilinear", "outer", "kron"):
        return NotImplemented
    first, second = (step.signals[source] for source in sources)
    for weights, values in ((first, second), (second, first)):
        if weights.keys:
            return values.attended(weights.square * weights.keys, weights.between * weights.keys)
    if step.depend(*sources):
        return NotImplemented
    summed = _summed(step, sources)
    if summed is None:
        return NotImplemented
    sizes, meanings = summed
    return summed_products(first, second, sizes, over_positions=(meanings[0] == POSITION, meanings[1] == POSITION))


def _summed(step: Step, sources: list[Source]) -> tuple[int, tuple[str, str]] | None:
    """Return over how many products a product of two tensors sums, and the meaning of this axis in each of them."""
    first, second = sources
    axes = step.axes[first], step.axes[second]
    if step.operation.name != "einsum":
        return step.shape_of(first)[-1], (axes[0][-1], axes[1][-2:][0])
    terms, _, output = step.operation.arguments[0].replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    meanings: list[dict[str, str]] = []
    for term, source, labels in zip(terms.split(","), sources, axes, strict=True):
        sizes |= dict(zip(term, step.shape_of(source), strict=False))
        meanings.append(dict(zip(term, labels, strict=False)))
    summed = [letter for letter in sizes if letter not in output]
    found = [{meaning.get(letter, UNIT) for letter in summed} or {UNIT} for meaning in meanings]
    if any(len(kinds) > 1 for kinds in found):
        return None
    return prod(sizes[letter] for letter in summed), (found[0].pop(), found[1].pop())


class AttentionWeights(NamedTuple):
    """The signals of an attention, and the statistics of its weights, a softmax of normal scores.

    Attributes
    ----------
    query, key, value : Signal
    sources : tuple of (Source or None)
        Those of the query, the key, the value and of scores that are added; None for constants.
    own, common : float
        The sum of the squared weights of a query, and the sum of the products of two queries' weights.
    """

    query: Signal
    key: Signal
    value: Signal
    sources: tuple[Source | None, ...]
    own: float
    common: float

    @classmethod
    def of(cls, step: Step) -> "AttentionWeights | None":
        """Return those of a step; None if the values are no signal."""
        names = ("query", "key", "value", "attn_mask")
        given = [step.operation.argument(position, name) for position, name in enumerate(names)]
        sources = tuple(part if isinstance(part, Source) and part in step.signals else None for part in given)
        if sources[2] is None:
            return None
        query, key, value, added = (
            step.signals[source] if source is not None else _of_constant(part)
            for source, part in zip(sources, given, strict=True)
        )
        scale = step.operation.keywords.get("scale")
        factor = 1.0 if scale is None else _width(step, given[0]) * scale**2
        scores = 0.0 if step.exact else factor * query.square * (key.square - key.shared)
        if sources[3] is not None and not step.exact:
            scores += max(added.square - added.shared, 0.0)
        visible = _visible_keys(step, _n_keys(step, given[1]))
        own = float(np.mean([sum_of_squared_weights(int(n), scores) for n in visible]))
        return cls(query, key, value, sources, own, float(np.mean(1 / visible)))


def _of_constant(part: Any) -> Signal:
    if not isinstance(part, torch.Tensor) or not part.is_floating_point():
        return Signal(1.0)
    mean, square = pair_of(part)
    return Signal(square, mean)


def _width(step: Step, part: Any) -> int:
    return (step.shape_of(part) if isinstance(part, Source) else part.shape)[-1]


def _n_keys(step: Step, keys: Any) -> int:
    if step.operation.function is None:
        # torch's own module has the samples on any axis.
        return step.size(keys, POSITION)
    return (step.shape_of(keys) if isinstance(keys, Source) else keys.shape)[-2]


def _visible_keys(step: Step, n_keys: int) -> np.ndarray:
    """Return for each query the number of keys that a mask leaves."""
    mask = step.operation.argument(3, "attn_mask")
    if step.operation.argument(5, "is_causal", False):
        return np.arange(1, n_keys + 1)
    if type(mask) is torch.Tensor and not mask.is_meta:
        return step.visible((mask if mask.dtype == torch.bool else mask > MASKED).expand(*mask.shape[:-1], n_keys))
    return np.array([n_keys])


def _attention(step: Step) -> Any:
    """Return means of the values with the weights of attention, as at initialization."""
    weights = AttentionWeights.of(step)
    return NotImplemented if weights is None else weights.value.attended(weights.own, weights.common)


ATTENTION_RULES: dict[str, Callable[[Step], Any]] = {
    "softmax": _softmax,
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(words("matmul bmm einsum mm baddbmm"), _between_signals),
}
