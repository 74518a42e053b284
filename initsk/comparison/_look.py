"""A look at the layers of a network: what is measured there, and what theory expects."""

from dataclasses import dataclass, field
from math import nan
from typing import Any

from skorch.utils import multi_indexing

from initsk.comparison._data import n_samples
from initsk.exceptions import InitskError
from initsk.inspection import ActivationSummary, get_model, inspect_activations
from initsk.modules import ChainLayer, chain_of
from initsk.theory import SignalLayer, backward_signal, forward_signal

# What costs little beside the training; the other measures are columns of NaN.
_MEASURES = ("units",)
# Gradients of so many samples tell their size to a few percent.
_MOST_FOR_GRADIENTS = 1000

Expected = dict[tuple[str, str], float]


@dataclass
class Look:
    """Statistics of every layer at one moment.

    Attributes
    ----------
    values : ActivationSummary
        Of activations and, unless the look is a short one, of weights.
    gradients : ActivationSummary or None
        None where the loss of the held-out samples cannot be had.
    forward, backward : dict of (layer, site) to float
        Root mean squares that theory expects; empty where it has nothing to say.
    """

    values: ActivationSummary
    gradients: ActivationSummary | None = None
    forward: Expected = field(default_factory=dict)
    backward: Expected = field(default_factory=dict)

    def rows(self, of: str) -> list[tuple[Any, ...]]:
        """Return the rows of a table, each with what theory expects last."""
        summary = self.gradients if of == "gradients" else self.values
        expected = {"activations": self.forward, "gradients": self.backward}.get(of, {})
        return [] if summary is None else [(*row, expected.get(row[:2], nan)) for row in summary.rows(of)]


def glance(model: Any, X: Any) -> Look:
    """Look at the activations alone."""
    return Look(inspect_activations(model, X, measures=_MEASURES))


def look_at_layers(model: Any, X: Any) -> Look:
    """Look at activations and weights."""
    return Look(inspect_activations(model, X, measures=_MEASURES, weights=True))


def look_at_start(model: Any, X: Any, y: Any) -> Look:
    """Look at activations, weights and gradients, and say what theory has to say of random weights.

    `y` may be None, where the loss is not to be had.
    """
    look = None if y is None else _with_gradients(model, X, y)
    look = look or look_at_layers(model, X)
    chain = chain_of(get_model(model).module)
    if chain is not None:
        _expect(look, chain)
    return look


def _with_gradients(model: Any, X: Any, y: Any) -> Look | None:
    rows, few = slice(0, _MOST_FOR_GRADIENTS), n_samples(y) <= _MOST_FOR_GRADIENTS
    try:
        # Few samples are looked at once for everything.
        back = inspect_activations(
            model, multi_indexing(X, rows), y[rows], gradients=True, measures=_MEASURES, weights=few
        )
    except (InitskError, KeyError, RuntimeError, TypeError, ValueError):
        # A stranger's loss may want what only its own training gives; the comparison goes on without.
        return None
    return Look(back if few else look_at_layers(model, X).values, back)


def _expect(look: Look, chain: list[ChainLayer]) -> None:
    """Fill in what theory expects, from the first layer's length on, and from the last one's gradient back."""
    names = [name for name, *_ in chain]
    records = look.values.records
    if not all((name, "output") in records for name in names):
        return
    layers = [_signal_layer(look.values, step) for step in chain]
    inward = layers[0].fan_in * layers[0].weight_square
    first = records[names[0], "output"].values.moments.rms ** 2 - layers[0].bias_square
    try:
        signal = forward_signal(layers, max(first, 0.0) / inward if inward else 0.0)
        look.forward = _by_site(names, signal)
        if look.gradients is not None:
            last = look.gradients.records[names[-1], "output"].gradients.moments.rms ** 2
            look.backward = _by_site(names, backward_signal(layers, [length for length, _ in signal], last))
    except InitskError:
        # A function without a mean over a normal distribution.
        return


def _signal_layer(summary: ActivationSummary, step: ChainLayer) -> SignalLayer:
    weight_square, bias_square = (
        summary.weights[step.name, part].values.moments.rms ** 2 if (step.name, part) in summary.weights else 0.0
        for part in ("weight", "bias")
    )
    return step.as_signal(weight_square, bias_square)


def _by_site(names: list[str], pairs: list[tuple[float, float]]) -> Expected:
    sites = ("pre_activation", "activation")
    found = {
        (name, site): square**0.5
        for name, pair in zip(names, pairs, strict=True)
        for site, square in zip(sites, pair, strict=True)
    }
    return found | {(names[-1], "output"): pairs[-1][0] ** 0.5}
