"""Rules for the statistics of a signal after attention, whole or written out as products and a softmax."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from initsk.network._axes import UNIT
from initsk.network._operations import Source, words
from initsk.network._signal_step import Step
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
    if step.origin(sources[0]) == step.origin(sources[1]) and not step.exact:
        # A signal that meets itself.
        return NotImplemented
    n = _summed(step, sources)
    return NotImplemented if n is None else summed_products(first, second, n)


def _summed(step: Step, sources: list[Source]) -> int | None:
    """Return over how many products a product of two tensors sums."""
    shapes = [step.shape_of(source) for source in sources]
    if step.operation.name != "einsum":
        return shapes[0][-1]
    terms, _, output = step.operation.arguments[0].replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms.split(","), shapes, strict=True):
        sizes |= dict(zip(term, shape, strict=False))
    return prod(n for letter, n in sizes.items() if letter not in output)


def _attention(step: Step) -> Any:
    """Return means of the values: the weights are a softmax of normal scores, as at initialization."""
    sources = step.sources()
    return step.signals[sources[-1]].attended(*step.weights_of_attention())


ATTENTION_RULES: dict[str, Callable[[Step], Any]] = {
    "softmax": _softmax,
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(words("matmul bmm einsum mm baddbmm"), _between_signals),
}
