"""Statistics of every layer, fed by a `Watch`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from initsk.inspection._layer_statistics import MEASURES, LayerStatistics
from initsk.inspection._unfold import Axes
from initsk.inspection._watch import Value

Key = tuple[str, str]


@dataclass(frozen=True)
class Settings:
    """What is recorded."""

    bins: int = 128
    edges: Sequence[float] | None = None
    measures: Collection[str] = MEASURES
    gradients: bool = False


@dataclass
class Record:
    """Statistics of one layer at one site, and of the loss's gradient there."""

    module: str
    function: str
    values: LayerStatistics
    gradients: LayerStatistics

    def of(self, what: str) -> LayerStatistics:
        """Return the statistics of the "activations" or of the "gradients"."""
        return self.values if what == "activations" else self.gradients

    def __add__(self, other: "Record") -> "Record":
        return Record(self.module, self.function, self.values + other.values, self.gradients + other.gradients)


@dataclass
class Recorder:
    """An observer that keeps statistics, of the chosen layers and sites or of all.

    Attributes
    ----------
    records : dict of (layer, site) to Record
        In the order of the forward pass.
    activated : set of str
        Layers with an activation function, recorded or not.
    """

    settings: Settings
    chosen: Collection[Key] | None = None
    records: dict[Key, Record] = field(default_factory=dict)
    activated: set[str] = field(default_factory=set)
    padding: torch.Tensor | None = None
    n_samples: int = 1

    def expect(self, n_samples: int, padding: torch.Tensor | None) -> None:
        """Say what the next forward pass is about."""
        self.n_samples, self.padding = n_samples, padding

    def __call__(self, value: Value) -> None:
        """Take one value of the forward pass, and its gradient when the backward pass comes to it."""
        key = value.layer, value.site
        if value.site == "activation":
            self.activated.add(value.layer)
        wanted = value.is_layer if self.chosen is None else key in self.chosen
        if not wanted or value.tensor.numel() == 0:
            return
        if key not in self.records:
            self.records[key] = self._new_record(value)
        rows = value.axes.rows(value.tensor.detach(), self.padding)
        self.records[key].values.update(rows)
        if self.settings.gradients and value.tensor.requires_grad:
            value.tensor.register_hook(partial(self._take_gradient, key, value.axes, self.n_samples, self.padding))

    def _new_record(self, value: Value) -> Record:
        s = self.settings
        statistics = LayerStatistics(s.bins, s.edges, s.measures, value.function)
        function = value.kind if value.site == "activation" else ""
        return Record(value.module, function, statistics, LayerStatistics(s.bins, None, s.measures))

    def _take_gradient(
        self, key: Key, axes: Axes, n_samples: int, padding: torch.Tensor | None, gradient: torch.Tensor
    ) -> None:
        # Of each sample's own loss, since that does not depend on how many samples share a batch.
        rows = axes.rows(gradient.detach() * n_samples, padding)
        self.records[key].gradients.update(rows)
