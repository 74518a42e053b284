"""Inspections during training: a skorch callback."""

from collections.abc import Collection, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

import pandas as pd
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from skorch.dataset import unpack_data
from torch import nn

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.inspection import _frames as frames
from initsk.inspection._inspect import inspect_batches
from initsk.inspection._settings import CONSTRAINTS, InspectionSettings
from initsk.inspection._summary import ActivationSummary
from initsk.inspection.capture._capture import Capture
from initsk.inspection.capture._layer_choice import Layers
from initsk.network import Batch, BatchConverter, IntegerCasts, Model, iterate_batches
from initsk.utils.validation import boolean, check_parameters, integer, one_of


@dataclass(repr=False, eq=False)
class ActivationRecorder(Callback):
    """Record statistics of the layers while a net trains, on a fixed batch or on the training batches.

    A record equals the result of `inspect_activations` at the same moment. It has a forward pass of its own and does
    not change the training: random state, buffers and hooks stay as they are. The recorder keeps the statistics and
    histograms of each record, a few kilobytes per layer for batches of any size.

    Parameters
    ----------
    probe : array-like, tensor or tuple of X and y, default=None
        A fixed batch, inspected in evaluation mode, with targets in the form that the net takes (class numbers for a
        classifier). With None, the training batches are inspected in training mode, with the dropout masks of the step.
    every : int, default=1
        Number of epochs or steps between two records.
    unit : {"epoch", "step"}, default="epoch"
        The unit of `every`. One record covers all training batches of an epoch.
    start, end : bool, default=True
        Whether to record before the first step and after the last one. With training batches, `start` records the first
        of them, and `end` has no effect.
    layers, gradients, measures, batch_size, bins
        As in `inspect_activations`, with fewer bins. With gradients, the update by the net's own optimizer is measured
        too.

    Attributes
    ----------
    n_steps_ : int
        Number of training batches until now.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from initsk import MLPClassifier
    >>> from initsk.inspection import ActivationRecorder
    >>> X, y = load_digits(return_X_y=True)
    >>> recorder = ActivationRecorder(probe=X[:100] / 16)
    >>> clf = MLPClassifier((32,), max_epochs=2, random_state=0, callbacks=[recorder]).fit(X / 16, y)
    >>> frame = recorder.to_frame()
    >>> frame.loc[frame["position"] == "activation", ["step", "epoch", "layer"]]
       step  epoch     layer
    1     0      0  hidden_1
    4    57      1  hidden_1
    7   114      2  hidden_1
    """

    probe: Any = None
    _: KW_ONLY
    every: int = 1
    unit: str = "epoch"
    start: bool = True
    end: bool = True
    layers: Layers = None
    gradients: bool = False
    measures: Collection[str] = ("units",)
    batch_size: int = 1024
    bins: int = 32

    def initialize(self) -> "ActivationRecorder":
        """Delete all records; skorch calls this method when a net is initialized."""
        self._check()
        self.n_steps_ = 0
        self.rows_: dict[str, list[tuple[Any, ...]]] = {of: [] for of in frames.VALUE_KINDS}
        self.bins_: dict[str, list[tuple[int, int, frames.PackedBins]]] = {of: [] for of in frames.VALUE_KINDS}
        self.parameters_: list[tuple[Any, ...]] = []
        self.last_recorded_step_ = -1
        self.casts_ = IntegerCasts()
        self.epoch_summary_: ActivationSummary | None = None
        self.capture_: Capture | None = None
        return self

    def __getstate__(self) -> dict[str, Any]:
        # The capture refers to functions, which cannot be pickled.
        return {name: value for name, value in super().__getstate__().items() if name != "capture_"}

    @property
    def needs_batch_events(self) -> bool:
        """Whether the recorder needs skorch's events of single batches; without them a net may train faster."""
        return self.unit == "step" or self.probe is None

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Record the fixed batch before the first step."""
        self.at_start_ = True
        if self.start and self.probe is not None:
            self._record_probe(net)

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """Inspect a training batch before its step."""
        if not training or self.probe is not None or not self._is_due(net):
            return
        X, y = unpack_data(batch)
        summary = self._inspect(net, X, y, training=True)
        if self.unit == "step":
            self._keep(net, summary)
        else:
            self.epoch_summary_ = summary if self.epoch_summary_ is None else self.epoch_summary_ + summary

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Count the step, and record the fixed batch after it."""
        if not training:
            return
        self.n_steps_ += 1
        self.at_start_ = self.at_start_ and self.unit == "epoch"
        if self.unit == "step" and self.probe is not None and self._is_turn(self.n_steps_):
            self._record_probe(net)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the fixed batch, or the sum of the epoch's training batches."""
        self._check()
        if not self.needs_batch_events:
            self.n_steps_ = sum(net.history[:, "train_batch_count"])
        if self.unit == "epoch" and self.probe is not None and self._is_turn(len(net.history)):
            self._record_probe(net)
        if self.epoch_summary_ is not None:
            self._keep(net, self.epoch_summary_)
        self.at_start_, self.epoch_summary_ = False, None

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Record the fixed batch after the last step."""
        if self.end and self.probe is not None:
            self._record_probe(net)

    def to_frame(self, of: str = "activations") -> pd.DataFrame:
        """Return a row per record, layer and position.

        Parameters
        ----------
        of : {"activations", "gradients"}, default="activations"
            As in `ActivationSummary.to_frame`.

        Returns
        -------
        DataFrame
            ``step`` (number of training batches before the record) and ``epoch`` (of the step before the record or, for
            training batches, of the batch), int64; then the columns of `ActivationSummary.to_frame`.
        """
        frames.check_value_kind("to_frame", of)
        self._check_recorded()
        return frames.statistics_frame(self.rows_[of], of, timed=True)

    def histograms(self, of: str = "activations") -> pd.DataFrame:
        """Return a row per record, layer, position and bin.

        Parameters
        ----------
        of : {"activations", "gradients"}, default="activations"
            As in `ActivationSummary.to_frame`.

        Returns
        -------
        DataFrame
            ``step``, ``epoch``, then the columns of `ActivationSummary.histograms`.
        """
        frames.check_value_kind("histograms", of)
        self._check_recorded()
        return frames.histograms_frame([bins for *_, bins in self.bins_[of]], of, [time for *time, _ in self.bins_[of]])

    def parameters(self) -> pd.DataFrame:
        """Return a row per record and parameter; empty without ``gradients=True``.

        Returns
        -------
        DataFrame
            ``step``, ``epoch``, then the columns of `ActivationSummary.parameters`.
        """
        self._check_recorded()
        return frames.parameters_frame(self.parameters_, timed=True)

    def _check_recorded(self) -> None:
        if not hasattr(self, "rows_"):
            raise NotFittedError(
                "nothing is recorded yet: an ActivationRecorder is among the callbacks of a net that trains"
            )

    def _is_due(self, net: Any) -> bool:
        """Return whether the next training batch belongs to a record."""
        is_turn = self._is_turn(self.n_steps_ + 1 if self.unit == "step" else len(net.history))
        return is_turn or (self.start and self.at_start_)

    def _is_turn(self, number: int) -> bool:
        """Return whether a step or an epoch of this number has a record."""
        self._check()
        return number % self.every == 0

    def _check(self) -> None:
        # At each use, since `set_params` may change a parameter during the training.
        check_parameters(type(self).__name__, {name: getattr(self, name) for name in _CONSTRAINTS}, _CONSTRAINTS)

    def _record_probe(self, net: Any) -> None:
        if self.last_recorded_step_ == self.n_steps_:
            return
        self.last_recorded_step_ = self.n_steps_
        X, y = self.probe if isinstance(self.probe, tuple) else (self.probe, None)
        self._keep(net, self._inspect(net, X, y, training=False))

    def _inspect(self, net: Any, X: Any, y: Any, training: bool) -> ActivationSummary:
        options = {name: getattr(self, name) for name in ("layers", "gradients", "measures", "bins")}
        settings = InspectionSettings(training=training, **options)
        module: nn.Module = net.module_
        y = y if self.gradients else None
        if training:
            # The step runs on the batch as it is.
            as_given = IntegerCasts(frozenset())
            batches = iter([BatchConverter(module, casts=as_given).convert(X, y)])
        else:
            batches = _of_probe(iterate_batches(module, X, y, self.batch_size, casts=self.casts_))
        capture = getattr(self, "capture_", None)
        if capture is None or list(capture.names) != list(module.modules()):
            capture = self.capture_ = Capture(module, training=training, gradients=self.gradients)
        return inspect_batches(Model(module, net), batches, settings, None, capture)

    def _keep(self, net: Any, summary: ActivationSummary) -> None:
        time = self.n_steps_, len(net.history)
        for of in frames.VALUE_KINDS:
            self.rows_[of] += [(*time, *row) for row in summary.rows(of)]
            self.bins_[of] += [(*time, bins) for bins in summary.bins(of)]
        if self.gradients:
            self.parameters_ += [(*time, *row) for row in summary.parameters().itertuples(index=False)]


def _of_probe(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the batches of the fixed batch; an error in its conversion says that it is about `probe`."""
    try:
        yield from batches
    except (InvalidParameterError, ModuleError) as error:
        raise type(error)(f"probe: {error}") from error


_CONSTRAINTS = {name: CONSTRAINTS[name] for name in ("measures", "gradients", "batch_size", "bins")}
_CONSTRAINTS |= {"every": integer(1), "unit": one_of("unit", ("epoch", "step")), "start": boolean(), "end": boolean()}
