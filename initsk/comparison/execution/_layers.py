"""A measured at the layers of a network: what is measured there, and what theory expects."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import nan
from typing import Any

from skorch.callbacks import Callback
from skorch.dataset import get_len
from skorch.utils import multi_indexing

from initsk.comparison.design._data import n_samples
from initsk.estimators import MLPClassifier, MLPRegressor
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.inspection import ActivationSummary, inspect_activations
from initsk.network import ChainLayer, chain_of, get_model
from initsk.theory import SignalLayer, backward_signal, forward_signal
from initsk.utils.random import isolated_torch_random

# What costs little beside the training; the other measures are columns of NaN.
_MEASURES = ("units",)
# Gradients of so many samples tell their size to a few percent.
_MAX_FOR_GRADIENTS = 1000

Expected = dict[tuple[str, str], float]


@dataclass
class LayerMeasurements:
    """Statistics of every layer at one moment.

    Attributes
    ----------
    values : ActivationSummary
        Of activations and, unless the measured is a short one, of weights.
    gradients : ActivationSummary or None
        None where the loss of the held-out samples cannot be had.
    forward, backward : dict of (layer, position) to float
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


def measure_activations(model: Any, X: Any) -> LayerMeasurements:
    """LayerMeasurements at the activations alone."""
    return LayerMeasurements(inspect_activations(model, X, measures=_MEASURES))


def measure_layers(model: Any, X: Any) -> LayerMeasurements:
    """LayerMeasurements at activations and weights."""
    return LayerMeasurements(inspect_activations(model, X, measures=_MEASURES, weights=True))


def measure_start(model: Any, X: Any, y: Any) -> LayerMeasurements:
    """LayerMeasurements at activations, weights and gradients, and say what theory has to say of random weights.

    `y` may be None, where the loss is not to be had.
    """
    measured = None if y is None else _with_gradients(model, X, y)
    measured = measured or measure_layers(model, X)
    chain = chain_of(get_model(model).module)
    if chain is not None:
        _expect(measured, chain)
    return measured


def _with_gradients(model: Any, X: Any, y: Any) -> LayerMeasurements | None:
    rows, few = slice(0, _MAX_FOR_GRADIENTS), n_samples(y) <= _MAX_FOR_GRADIENTS
    try:
        # Few samples are looked at once for everything.
        back = inspect_activations(
            model, multi_indexing(X, rows), y[rows], gradients=True, measures=_MEASURES, weights=few
        )
    except (InitskError, KeyError, RuntimeError, TypeError, ValueError):
        # A stranger's loss may want what only its own training gives; the comparison goes on without.
        return None
    return LayerMeasurements(back if few else measure_layers(model, X).values, back)


def _expect(measured: LayerMeasurements, chain: list[ChainLayer]) -> None:
    """Fill in what theory expects, from the first layer's length on, and from the last one's gradient back."""
    names = [name for name, *_ in chain]
    records = measured.values.records
    if not all((name, "output") in records for name in names):
        return
    layers = [_signal_layer(measured.values, step) for step in chain]
    inward = layers[0].fan_in * layers[0].weight_square
    first = records[names[0], "output"].values.moments.rms ** 2 - layers[0].bias_square
    try:
        signal = forward_signal(layers, max(first, 0.0) / inward if inward else 0.0)
        measured.forward = _by_position(names, signal)
        if measured.gradients is not None:
            last = measured.gradients.records[names[-1], "output"].gradients.moments.rms ** 2
            measured.backward = _by_position(names, backward_signal(layers, [length for length, _ in signal], last))
    except InitskError:
        # A function without a mean over a normal distribution.
        return


def _signal_layer(summary: ActivationSummary, step: ChainLayer) -> SignalLayer:
    weight_square, bias_square = (
        summary.weights[step.name, part].values.moments.rms ** 2 if (step.name, part) in summary.weights else 0.0
        for part in ("weight", "bias")
    )
    return step.as_signal(weight_square, bias_square)


def _by_position(names: list[str], pairs: list[tuple[float, float]]) -> Expected:
    positions = ("pre_activation", "activation")
    found = {
        (name, position): square**0.5
        for name, pair in zip(names, pairs, strict=True)
        for position, square in zip(positions, pair, strict=True)
    }
    return found | {(names[-1], "output"): pairs[-1][0] ** 0.5}


_MAX_STAGES = 4


class RunRecorder(Callback):
    """Note the losses and the held-out score of every epoch, and the layers before the first.

    Parameters
    ----------
    see : callable
        Returns the estimator that trains, and the held-out X as it reaches it.
    y_val : array-like
        Held-out targets.
    score : callable
        Returns the held-out score of the whole model as it is now.
    activations : bool
        Whether to measured at the layers before and after training.
    on_the_way : bool
        Whether to measured at them after some of the epochs as well.

    Attributes
    ----------
    measured_layers : list of (phase, epoch, LayerMeasurements)
    """

    def __init__(
        self,
        see: Callable[[], tuple[Any, Any]],
        y_val: Any,
        score: Callable[[], float],
        activations: bool,
        on_the_way: bool,
    ) -> None:
        self.see = see
        self.y_val = y_val
        self.score = score
        self.activations = activations
        self.on_the_way = on_the_way
        self.epochs: list[tuple[int, float, float, float]] = []
        self.seconds: list[float] = []
        self.measured_layers: list[tuple[str, int, LayerMeasurements]] = []
        self.dataset: Any = None
        self.has_loss = True

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """LayerMeasurements at the layers as they start."""
        if self.activations:
            has_loss = self._prepare(net, *self.see())
            self.measured_layers.append(
                ("initialized", 0, measure_start(*self.see(), self.y_val if has_loss else None))
            )

    def measure_end(self) -> None:
        """LayerMeasurements at the layers as they are now, unless nobody wants to know."""
        if self.activations:
            self.measured_layers.append(("trained", len(self.epochs), measure_layers(*self.see())))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Note losses and score; what is drawn for it is drawn again in training."""
        model, X_val = self.see()
        last = net.history[-1]
        with isolated_torch_random(None, net.device or "cpu"):
            loss = self._mean_loss(net, model, X_val) if self._prepare(net, model, X_val) else nan
            score = self.score()
        # A net may be told not to note its training loss, or the time.
        self.epochs.append((last["epoch"], float(last.get("train_loss", nan)), loss, float(score)))
        self.seconds.append(float(last.get("dur", nan)))
        if self.activations and self.on_the_way and last["epoch"] in stages(net.max_epochs):
            self.measured_layers.append(("training", last["epoch"], measure_activations(model, X_val)))

    def _prepare(self, net: Any, model: Any, X: Any) -> bool:
        """Have the held-out samples as the net takes them; labels that it was not trained on have no loss."""
        if self.dataset is None and self.has_loss:
            is_mlp = isinstance(model, MLPClassifier | MLPRegressor)
            try:
                self.dataset = (model.as_dataset if is_mlp else net.get_dataset)(X, self.y_val)
            except InvalidParameterError:
                self.has_loss = False
        return self.has_loss

    def _mean_loss(self, net: Any, model: Any, X: Any) -> float:
        total, count = 0.0, 0
        for batch in net.get_iterator(self.dataset, training=False):
            n_samples = get_len(batch[0])
            total += float(net.validation_step(batch)["loss"]) * n_samples
            count += n_samples
        return total / count


def stages(n_epochs: int) -> list[int]:
    """Return after which epochs on the way to measured: all of them, or some at equal distances.

    Examples
    --------
    >>> stages(5), stages(1)
    ([1, 2, 3, 4], [])
    >>> stages(100)
    [20, 40, 60, 80]
    """
    count = min(n_epochs - 1, _MAX_STAGES)
    return [round(n_epochs * (i + 1) / (count + 1)) for i in range(count)]
