"""The inspector during training: a skorch callback."""

from collections.abc import Collection
from typing import Any

import pandas as pd
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from skorch.dataset import unpack_data
from torch import nn

from initsk.inspection._frames import OF, PackedBins, check_of, histograms_frame, parameters_frame, statistics_frame
from initsk.inspection._inspect import CHECKS, Request, inspect_batches
from initsk.inspection._summary import ActivationSummary
from initsk.inspection.capture._recorder import Layers, Settings
from initsk.network import BatchConverter, Model, iterate_batches
from initsk.utils.validation import Constraint, boolean, check_parameters, integer, one_of


class ActivationRecorder(Callback):
    """Record summaries of the layers while a net trains, on a fixed batch or on the batches that it trains on.

    Every record is what `inspect_activations` says at that moment, by a pass of its own, so that training
    goes on exactly as it would: random state, buffers and hooks stay. What is kept are the
    numbers and the histograms' bins of every record, a few kilobytes per layer, however large the batches are.

    Parameters
    ----------
    probe : array-like, tensor or tuple of X and y, default=None
        The fixed batch, seen in evaluation mode, with targets as the net takes them (class numbers). None takes the
        training batches themselves in training mode, with the dropout masks of the step.
    every : int, default=1
        Record each so many steps or epochs.
    unit : {"epoch", "step"}, default="epoch"
        What `every` counts. An epoch of training batches is summed up in one record.
    start, end : bool, default=True
        Record before the first step (of the training batches: the first one) and at the end (a fixed batch alone).
    layers, gradients, measures, batch_size, bins
        As in `inspect_activations`, with fewer bins. With gradients, the step of the net's own optimizer is measured
        too.

    Attributes
    ----------
    n_steps_ : int
        Training batches so far.

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

    def __init__(
        self,
        probe: Any = None,
        *,
        every: int = 1,
        unit: str = "epoch",
        start: bool = True,
        end: bool = True,
        layers: Layers = None,
        gradients: bool = False,
        measures: Collection[str] = ("units",),
        batch_size: int = 1024,
        bins: int = 32,
    ) -> None:
        self.probe = probe
        self.every = every
        self.unit = unit
        self.start = start
        self.end = end
        self.layers = layers
        self.gradients = gradients
        self.measures = measures
        self.batch_size = batch_size
        self.bins = bins

    def initialize(self) -> "ActivationRecorder":
        """Forget what was recorded; skorch calls it when a net is initialized."""
        check_parameters(type(self).__name__, self.get_params(deep=False), _TABLE)
        self.n_steps_ = 0
        self.rows_: dict[str, list[tuple[Any, ...]]] = {of: [] for of in OF}
        self.bins_: dict[str, list[PackedBins]] = {of: [] for of in OF}
        self.times_: dict[str, list[tuple[int, int]]] = {of: [] for of in OF}
        self.parameters_: list[tuple[Any, ...]] = []
        self.last_ = -1
        self.stream_: ActivationSummary | None = None
        return self

    @property
    def needs_batch_events(self) -> bool:
        """Whether single training batches matter; where not, nets may train without telling of them."""
        return self.unit == "step" or self.probe is None

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Record the start."""
        self.first_ = True
        if self.start and self.probe is not None:
            self._record_probe(net)

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """Look at a training batch, before the step that it is for."""
        if not training or self.probe is not None or not self._wanted(net):
            return
        X, y = unpack_data(batch)
        summary = self._inspect(net, X, y, training=True)
        if self.unit == "step":
            self._keep(net, summary)
        else:
            self.stream_ = summary if self.stream_ is None else self.stream_ + summary

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Count the step, and look at the fixed batch after it."""
        if not training:
            return
        self.n_steps_ += 1
        self.first_ = self.first_ and self.unit == "epoch"
        if self.unit == "step" and self.probe is not None and self.n_steps_ % self.every == 0:
            self._record_probe(net)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Look at the fixed batch, or keep what the epoch's batches summed up to."""
        if not self.needs_batch_events:
            self.n_steps_ = sum(net.history[:, "train_batch_count"])
        if self.unit == "epoch" and self.probe is not None and len(net.history) % self.every == 0:
            self._record_probe(net)
        if self.stream_ is not None:
            self._keep(net, self.stream_)
        self.first_, self.stream_ = False, None

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Record the end."""
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
            ``step`` (training batches before the record) and ``epoch`` (the one that the step before belongs to, or of
            a training batch its own; int64), then the columns of `ActivationSummary.to_frame`.
        """
        check_of("to_frame", of)
        self._check_recorded()
        return statistics_frame(self.rows_[of], of, timed=True)

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
        check_of("histograms", of)
        self._check_recorded()
        return histograms_frame([bins.unpacked() for bins in self.bins_[of]], of, self.times_[of])

    def parameters(self) -> pd.DataFrame:
        """Return a row per record and parameter, with gradients alone.

        Returns
        -------
        DataFrame
            ``step``, ``epoch``, then the columns of `ActivationSummary.parameters`.
        """
        self._check_recorded()
        return parameters_frame(self.parameters_, timed=True)

    def _check_recorded(self) -> None:
        if not hasattr(self, "rows_"):
            raise NotFittedError(
                "nothing is recorded yet: an ActivationRecorder is among the callbacks of a net that trains"
            )

    def _wanted(self, net: Any) -> bool:
        """Say whether the coming training batch is to be recorded."""
        if self.start and self.first_:
            return True
        return (self.n_steps_ + 1 if self.unit == "step" else len(net.history)) % self.every == 0

    def _record_probe(self, net: Any) -> None:
        if self.last_ == self.n_steps_:
            return
        self.last_ = self.n_steps_
        X, y = self.probe if isinstance(self.probe, tuple) else (self.probe, None)
        self._keep(net, self._inspect(net, X, y, training=False))

    def _inspect(self, net: Any, X: Any, y: Any, training: bool) -> ActivationSummary:
        settings = Settings(self.bins, None, tuple(self.measures), self.gradients)
        module: nn.Module = net.module_
        y = y if self.gradients else None
        batches = (
            iter([BatchConverter(module).convert(X, y)]) if training else iterate_batches(module, X, y, self.batch_size)
        )
        return inspect_batches(Model(module, net), batches, Request(self.layers, "both", settings, training), None)

    def _keep(self, net: Any, summary: ActivationSummary) -> None:
        time = self.n_steps_, len(net.history)
        for of in OF:
            self.rows_[of] += [(*time, *row) for row in summary.rows(of)]
            bins = [part.packed() for part in summary.bins(of) if len(part.counts)]
            self.bins_[of] += bins
            self.times_[of] += [time] * len(bins)
        if self.gradients:
            self.parameters_ += [(*time, *row) for row in summary.parameters().itertuples(index=False)]


_TABLE: dict[str, Constraint] = {
    **{name: CHECKS[name] for name in ("measures", "gradients", "batch_size", "bins")},
    "every": integer(1),
    "unit": one_of("unit", ("epoch", "step")),
    "start": boolean(),
    "end": boolean(),
}
