"""Statistics of every layer, in one pass and bounded memory."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch

from initsk.exceptions import ModuleError
from initsk.inspection._capture import watching
from initsk.inspection._histogram import StreamingHistogram
from initsk.inspection._model import get_module, iterate_batches
from initsk.inspection._moments import RunningMoments
from initsk.utils._validation import check_parameters, integer

_SITES = {"output": "pre_activation", "activation": "activation"}


@dataclass
class LayerStatistics:
    """What is kept of one layer's values at one site, whatever the number of samples."""

    bins: int
    moments: RunningMoments = field(default_factory=RunningMoments)
    histogram: StreamingHistogram = field(init=False)
    alive: torch.Tensor | None = None

    def __post_init__(self) -> None:
        self.histogram = StreamingHistogram(self.bins)

    def update(self, values: torch.Tensor) -> None:
        """Take in values of shape (samples, units)."""
        self.moments.update(values)
        self.histogram.update(values)
        alive = (values != 0).any(dim=0)
        self.alive = alive if self.alive is None else self.alive | alive

    @property
    def dead_fraction(self) -> float:
        """Share of units that were zero for every sample."""
        return float("nan") if self.alive is None else 1.0 - float(self.alive.double().mean())


class ActivationSummary:
    """Statistics of a network's activations; made by `inspect_activations`.

    Attributes
    ----------
    statistics : dict of (layer, site) to LayerStatistics
        In the order of the forward pass.
    """

    def __init__(self, statistics: dict[tuple[str, str], LayerStatistics]) -> None:
        paired = {layer for layer, site in statistics if site == "activation"}
        self.statistics = {
            (layer, _SITES[site] if layer in paired else site): value for (layer, site), value in statistics.items()
        }

    def __repr__(self) -> str:
        layers = len({layer for layer, _ in self.statistics})
        return f"ActivationSummary({layers} layers; see to_frame() and histograms())"

    def to_frame(self) -> pd.DataFrame:
        """Return a row per layer and site.

        Returns
        -------
        DataFrame
            ``layer``; ``site``: "pre_activation" and "activation" where an activation function
            follows the layer, else "output"; ``units``; ``count`` of finite values; ``mean``, ``std``
            (population), ``rms``, ``min``, ``max``; ``zero_fraction`` of values; ``dead_fraction`` of
            units, zero for every sample; ``nonfinite`` count.
        """
        rows = []
        for (layer, site), kept in self.statistics.items():
            m = kept.moments
            units = 0 if kept.alive is None else len(kept.alive)
            rows.append(
                {
                    "layer": layer,
                    "site": site,
                    "units": units,
                    "count": m.count,
                    "mean": m.mean if m.count else float("nan"),
                    "std": m.std,
                    "rms": m.rms,
                    "min": m.min if m.count else float("nan"),
                    "max": m.max if m.count else float("nan"),
                    "zero_fraction": m.zero_fraction,
                    "dead_fraction": kept.dead_fraction,
                    "nonfinite": m.nonfinite,
                }
            )
        return pd.DataFrame(rows)

    def histograms(self) -> pd.DataFrame:
        """Return a row per layer, site and bin: left, right, count, density."""
        parts = [
            kept.histogram.to_frame().assign(layer=layer, site=site) for (layer, site), kept in self.statistics.items()
        ]
        return pd.concat(parts, ignore_index=True)[["layer", "site", "left", "right", "count", "density"]]


def inspect_activations(
    model: Any, X: Any, y: Any = None, *, batch_size: int = 1024, bins: int = 128
) -> ActivationSummary:
    """Measure the activations of every layer in one pass.

    Values are taken when they are produced, before and after each activation function,
    so an in-place activation does not change what is recorded for the layer before it.
    Activation functions are seen where they are modules (``nn.ReLU``); one called as a function
    inside ``forward`` is not. Memory does not depend on the number of samples. The model is as before afterwards:
    training mode, hooks, gradients, buffers and random state.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        A module, or what carries one (`net_`, `module_`); of an unfitted estimator the
        initial weights are seen, on a clone.
    X : array-like of shape (n_samples, ...)
        Input of the module.
    y : array-like of shape (n_samples,), optional
        Needed only to build an unfitted classifier.
    batch_size : int, default=1024
        Samples per forward pass.
    bins : int, default=128
        Most bins per histogram.

    Returns
    -------
    ActivationSummary

    Raises
    ------
    ModuleError
        If the model carries no module, or the module no layer, or X no sample.

    Examples
    --------
    >>> import torch
    >>> from initsk import inspect_activations
    >>> net = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.ReLU(inplace=True))
    >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0], [-1.0]]))
    >>> frame = inspect_activations(net, [[1.0], [3.0]]).to_frame()
    >>> frame[["layer", "site", "min", "max", "dead_fraction"]]
      layer            site  min  max  dead_fraction
    0     0  pre_activation -3.0  3.0            0.0
    1     0      activation  0.0  3.0            0.5
    """
    check_parameters(
        "inspect_activations",
        {"batch_size": batch_size, "bins": bins},
        {"batch_size": integer(1), "bins": integer(2)},
    )
    module = get_module(model, X, y)
    statistics: dict[tuple[str, str], LayerStatistics] = {}

    def observe(layer: str, site: str, values: torch.Tensor) -> None:
        if values.is_floating_point():
            statistics.setdefault((layer, site), LayerStatistics(bins)).update(values)

    with watching(module, observe) as run:
        for batch in iterate_batches(module, X, batch_size):
            run(batch)
    if not statistics:
        raise ModuleError("X holds no sample, or no layer gives real numbers: there is nothing to inspect")
    return ActivationSummary(statistics)
