"""Collection of statistics from the values that a forward and a backward pass compute."""

from collections.abc import Collection
from functools import partial

import torch

from initsk.inspection._settings import InspectionSettings
from initsk.inspection.capture._layer_choice import Key
from initsk.inspection.capture._place import Place
from initsk.inspection.capture._unfold import Axes
from initsk.inspection.statistics._layer import LayerRecord, LayerStatistics


class StatisticsCollector:
    """Add captured values, and their gradients, to the statistics of their layers and positions.

    Parameters
    ----------
    settings : InspectionSettings
        What to measure.
    chosen : collection of (layer, position), optional
        What to collect; all layers by default.
    """

    def __init__(self, settings: InspectionSettings, chosen: Collection[Key] | None = None) -> None:
        self.settings = settings
        self.chosen = chosen
        self._records: dict[Key, LayerRecord] = {}
        self._activated: set[str] = set()
        self._n_samples = 1
        self._padding: torch.Tensor | None = None

    def start_batch(self, n_samples: int, padding: torch.Tensor | None) -> None:
        """Set the number of samples and the padding of the next forward pass."""
        self._n_samples, self._padding = n_samples, padding

    def __call__(self, place: Place, tensor: torch.Tensor, again: bool) -> None:
        """Add a value, unless it is captured `again`; its gradient is added when the backward pass computes it."""
        key = place.layer, place.position
        if place.position == "activation":
            self._activated.add(place.layer)
        wanted = place.is_layer if self.chosen is None else key in self.chosen
        if not wanted or tensor.numel() == 0:
            return
        if key not in self._records:
            self._records[key] = self._new_record(place)
        if not again:
            self._records[key].values.update(place.axes.rows(tensor.detach(), self._padding))
        if self.settings.gradients and tensor.requires_grad:
            tensor.register_hook(partial(self._add_gradient, key, place.axes, self._n_samples, self._padding))

    def records(self) -> dict[Key, LayerRecord]:
        """Return the records in the order of the forward pass.

        The output of a layer that an activation function follows is at the position "pre_activation".
        """
        return {
            (layer, "pre_activation" if position == "output" and layer in self._activated else position): record
            for (layer, position), record in self._records.items()
        }

    def _new_record(self, place: Place) -> LayerRecord:
        s = self.settings
        values = LayerStatistics(s.bins, s.edges, s.measures, place.function)
        function = place.kind if place.position == "activation" else ""
        return LayerRecord(place.module, function, values, LayerStatistics(s.bins, None, s.measures))

    def _add_gradient(
        self, key: Key, axes: Axes, n_samples: int, padding: torch.Tensor | None, gradient: torch.Tensor
    ) -> None:
        # The gradient of each sample's own loss does not depend on the number of samples in a batch.
        self._records[key].gradients.update(axes.rows(gradient.detach() * n_samples, padding))
