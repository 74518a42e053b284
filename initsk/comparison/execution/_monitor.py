"""Measurements during a run: losses and scores after each epoch, and statistics of the layers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Any

from skorch.callbacks import Callback
from skorch.dataset import get_len
from skorch.utils import multi_indexing

from initsk.comparison.design._data import n_samples
from initsk.estimators import MLPClassifier, MLPRegressor
from initsk.exceptions import InitskError, InvalidParameterError, ModuleError
from initsk.initialization import InitializationRecord
from initsk.inspection import ActivationSummary, inspect_activations
from initsk.network import Model, WideNetwork, as_batch, current_values, get_model, read
from initsk.utils.random import isolated_torch_random
from initsk.utils.words import reason_of

# These cost little next to the training; the columns of all other measures are NaN.
_MEASURES = ("units",)
# This many samples give the size of a gradient to a few percent.
_MAX_FOR_GRADIENTS = 1000
_MAX_STAGES = 4

Expected = dict[tuple[str, str], float]
Drawn = tuple[str, float, float, float]
#: Columns about the initialization of a parameter, and their types.
DRAWN = {"role": "str", "fan_in": "float64", "fan_out": "float64", "expected_std": "float64"}
_NOT_DRAWN: Drawn = ("", nan, nan, nan)


@dataclass
class LayerMeasurements:
    """Statistics of every layer at one moment.

    Attributes
    ----------
    values : ActivationSummary
        Of the activations and, before and after training, of the weights.
    gradients : ActivationSummary or None
        None where the loss of the validation samples cannot be computed.
    forward, backward : dict of (layer, position) to float
        Root mean squares that theory predicts; empty where it predicts none.
    drawn : dict of str to tuple
        How each parameter was initialized, by its name: its role, fans and expected standard deviation.
    """

    values: ActivationSummary
    gradients: ActivationSummary | None = None
    forward: Expected = field(default_factory=dict)
    backward: Expected = field(default_factory=dict)
    drawn: dict[str, Drawn] = field(default_factory=dict)

    def rows(self, of: str) -> list[tuple[Any, ...]]:
        """Return the rows of a table, with what is expected last: how a weight was drawn, or the root mean square."""
        summary = self.gradients if of == "gradients" else self.values
        if summary is None:
            return []
        if of == "weights":
            return [(*row, *self.drawn.get(".".join(filter(None, row[:2])), _NOT_DRAWN)) for row in summary.rows(of)]
        expected = {"activations": self.forward, "gradients": self.backward}.get(of, {})
        return [(*row, expected.get(row[:2], nan)) for row in summary.rows(of)]


def measure_layers(model: Any, X: Any, *, weights: bool = True) -> LayerMeasurements:
    """Return measurements of the activations and, if wanted, the weights."""
    drawn = _drawn(model) if weights else {}
    return LayerMeasurements(inspect_activations(model, X, measures=_MEASURES, weights=weights), drawn=drawn)


def _drawn(model: Any) -> dict[str, Drawn]:
    """Return how each parameter was initialized; empty if no initializer of this package has filled it."""
    record = getattr(model, "initialization_record_", None)
    if not isinstance(record, InitializationRecord):
        return {}
    return {
        row["name"]: (row["role"], _number(row["fan_in"]), _number(row["fan_out"]), row["expected_std"])
        for row in record.rows
    }


def _number(fan: int | None) -> float:
    return nan if fan is None else float(fan)


def measure_trained(model: Any, X: Any) -> tuple[LayerMeasurements | None, str]:
    """Return measurements of a fitted model that takes no callbacks, or the reason why there are none.

    Such a model, as a TransformedTargetRegressor, trains its network in a copy that no callback reaches.
    """
    try:
        return measure_layers(model, X), ""
    except ModuleError as error:
        # The estimator has no network, or several.
        return None, str(error).partition(" (allowed")[0]
    except (InitskError, KeyError, RuntimeError, TypeError, ValueError) as error:
        # An estimator of a user may change X before its network gets it.
        return None, f"the network does not run on the samples: {reason_of(error)}"


def measure_start(model: Any, X: Any, y: Any) -> LayerMeasurements:
    """Return measurements of activations, weights and gradients, with the predictions of theory for random weights.

    `y` is None where the loss cannot be computed.
    """
    measurements = None if y is None else _with_gradients(model, X, y)
    measurements = measurements or measure_layers(model, X)
    _predict(measurements, get_model(model), X)
    return measurements


def _with_gradients(model: Any, X: Any, y: Any) -> LayerMeasurements | None:
    rows, is_small = slice(0, _MAX_FOR_GRADIENTS), n_samples(y) <= _MAX_FOR_GRADIENTS
    try:
        # For a small data set, one pass measures everything.
        first = multi_indexing(X, rows), y[rows]
        gradients = inspect_activations(model, *first, gradients=True, measures=_MEASURES, weights=is_small)
    except (InitskError, KeyError, RuntimeError, TypeError, ValueError):
        # A user's loss may need arguments that only its own training gives; then the gradients are left out.
        return None
    return LayerMeasurements(gradients if is_small else measure_layers(model, X).values, gradients, drawn=_drawn(model))


def _predict(measurements: LayerMeasurements, model: Model, X: Any) -> None:
    """Fill in the predictions, forward from the input and backward from the gradient of the last layer."""
    batch = as_batch(model.module, model.prepared(X))
    graph = read(model.module, batch)
    network = WideNetwork(graph, current_values(model.module), batch)
    values = {(part.layer, part.position): part for part in network.values()}
    measurements.forward = {
        key: part.signal.square**0.5
        for key, part in values.items()
        if part.signal is not None and not isnan(part.signal.square)
    }
    if measurements.gradients is None:
        return
    found = measurements.gradients.records
    gradients = {key: part.gradient.square**0.5 for key, part in values.items() if part.gradient is not None}
    last = next((key for key in reversed(gradients) if key in found and gradients[key] > 0), None)
    if last is not None:
        factor = found[last].gradients.moments.rms / gradients[last]
        measurements.backward = {key: factor * size for key, size in gradients.items()}


@dataclass(repr=False, eq=False)
class TrainingMonitor(Callback):
    """Record the losses and the validation score of every epoch, and measure the layers.

    Parameters
    ----------
    get_inputs : callable
        Returns the estimator that trains, and X_val as that estimator takes it.
    y_val : array-like
        Validation targets.
    score : callable
        Returns the validation score of the whole model as it is now.
    activations : bool
        Whether to measure the layers before and after training.
    during_training : bool
        Whether to measure them after some of the epochs as well.

    Attributes
    ----------
    epochs : list of (epoch, train_loss, val_loss, val_score)
    seconds : list of float
        Durations of the epochs.
    layers : list of (phase, epoch, LayerMeasurements)
    has_loss : bool
        Whether the net can compute its loss on the validation samples.
    """

    get_inputs: Callable[[], tuple[Any, Any]]
    y_val: Any
    score: Callable[[], float]
    activations: bool
    during_training: bool
    epochs: list[tuple[int, float, float, float]] = field(default_factory=list, init=False)
    seconds: list[float] = field(default_factory=list, init=False)
    layers: list[tuple[str, int, LayerMeasurements]] = field(default_factory=list, init=False)
    has_loss: bool = field(default=True, init=False)
    _dataset: Any = field(default=None, init=False)

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Measure the layers before training."""
        if self.activations:
            y_val = self.y_val if self._make_dataset(net, *self.get_inputs()) else None
            self.layers.append(("initialized", 0, measure_start(*self.get_inputs(), y_val)))

    def measure_end(self) -> None:
        """Measure the layers after training."""
        if self.activations:
            self.layers.append(("trained", len(self.epochs), measure_layers(*self.get_inputs())))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record losses and score, without moving the random state of the training."""
        model, X_val = self.get_inputs()
        last = net.history[-1]
        with isolated_torch_random(None, net.device or "cpu"):
            loss = self._mean_loss(net) if self._make_dataset(net, model, X_val) else nan
            score = self.score()
        # A net without the callbacks that record training loss and time has neither.
        self.epochs.append((last["epoch"], float(last.get("train_loss", nan)), loss, float(score)))
        self.seconds.append(float(last.get("dur", nan)))
        if self.activations and self.during_training and last["epoch"] in stages(net.max_epochs):
            self.layers.append(("training", last["epoch"], measure_layers(model, X_val, weights=False)))

    def _make_dataset(self, net: Any, model: Any, X: Any) -> bool:
        """Make the net's data set of the validation samples; labels outside the training set have no loss."""
        if self._dataset is None and self.has_loss:
            is_mlp = isinstance(model, MLPClassifier | MLPRegressor)
            try:
                self._dataset = (model.as_dataset if is_mlp else net.get_dataset)(X, self.y_val)
            except InvalidParameterError:
                self.has_loss = False
        return self.has_loss

    def _mean_loss(self, net: Any) -> float:
        total, count = 0.0, 0
        for batch in net.get_iterator(self._dataset, training=False):
            size = get_len(batch[0])
            total += float(net.validation_step(batch)["loss"]) * size
            count += size
        return total / count


def stages(n_epochs: int) -> list[int]:
    """Return the epochs to measure during training: all but the last, or four at equal distances.

    Examples
    --------
    >>> stages(5), stages(1)
    ([1, 2, 3, 4], [])
    >>> stages(100)
    [20, 40, 60, 80]
    """
    count = min(n_epochs - 1, _MAX_STAGES)
    return [round(n_epochs * (i + 1) / (count + 1)) for i in range(count)]
