"""Findings: what is wrong with the layers of a network, as data."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import nan
from typing import NamedTuple

import numpy as np
import pandas as pd

from initsk.inspection._frames import signal_rows
from initsk.inspection._thresholds import DECIDING, MIN_SAMPLES, Threshold


class Finding(NamedTuple):
    """One thing that is wrong with a network.

    Attributes
    ----------
    layer : str
        Name of the layer, "" for the whole network.
    kind : str
        A key of `initsk.inspection.THRESHOLDS`.
    value : float
        What was measured.
    threshold : float
        The value beyond which the layer or network is flagged.
    decides : bool
        Whether the finding keeps the network from training; in an audit, whether it is a fault.
    of : str
        What the value was computed from: "activations", "gradients", "loss" or "depth"; in a diagnosis also "trial",
        "score", "targets", "samples", "weights", "inputs" or "outputs"; in an audit "weights", "parts", "memory",
        "initializer", "inputs" or "outputs".
    relative_to : str
        Layer that the value is relative to, "" if there is none.
    what : str
        Which values are not finite, where it is known: "NaN", "infinity" or "NaN and infinity"; otherwise "".
    """

    layer: str
    kind: str
    value: float
    threshold: float
    decides: bool
    of: str = "activations"
    relative_to: str = ""
    what: str = ""


def findings_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return a row per finding, in the given order."""
    return pd.DataFrame(list(findings), columns=Finding._fields).astype(Finding.__annotations__)


def group_findings(findings: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each kind: that of the layer which is the farthest beyond its threshold.

    Parameters
    ----------
    findings : DataFrame
        What `findings_frame` returns.

    Returns
    -------
    DataFrame
        The rows of the worst layers, in the given order of the kinds, with ``n_layers``, ``first`` and ``last``: how
        many layers have the finding, and the names of the first and the last of them.

    Examples
    --------
    >>> frame = findings_frame([Finding(f"layer.{i}", "dead", 0.6 + i / 10, 0.5, False) for i in range(3)])
    >>> group_findings(frame)[["layer", "first", "last"]].iloc[0].tolist()
    ['layer.2', 'layer.0', 'layer.2']
    """
    rows = []
    for _, part in findings.groupby(["kind", "of", "relative_to", "decides"], sort=False):
        distances = (part["value"] - part["threshold"]).abs().fillna(0.0)
        layers = part["layer"]
        rows.append(
            {
                **part.iloc[int(distances.to_numpy().argmax())],
                "n_layers": layers.nunique(),
                "first": layers.iloc[0],
                "last": layers.iloc[-1],
            }
        )
    columns = [*findings.columns, "n_layers", "first", "last"]
    types = Finding.__annotations__ | {"n_layers": "int64", "first": "str", "last": "str"}
    return pd.DataFrame(rows, columns=columns).astype(types)


def find_in_layers(
    activations: pd.DataFrame,
    gradients: pd.DataFrame,
    thresholds: Mapping[str, Threshold],
    min_samples: float = MIN_SAMPLES,
) -> list[Finding]:
    """Return the findings in the layers, the most serious kind first.

    Parameters
    ----------
    activations, gradients : DataFrame
        What `ActivationSummary.to_frame` returns.
    thresholds : mapping of str to Threshold
        By kind; see `layer_thresholds`.
    min_samples : float, default=30
        Smallest number of samples for which dead units are counted.
    """
    layers = LayerValues(activations, gradients, min_samples)
    return [
        Finding(layer, kind, value, threshold.value, kind in DECIDING, of, relative_to)
        for kind, threshold in thresholds.items()
        for layer, value, of, relative_to in layers.values(kind)
        if threshold.flags(value)
    ]


_Value = tuple[str, float, str, str]


class LayerValues:
    """The values of every layer from which findings are made.

    Parameters
    ----------
    activations, gradients : DataFrame
        What `ActivationSummary.to_frame` returns.
    min_samples : float, default=30
        Smallest number of samples for which dead units are counted.
    """

    def __init__(self, activations: pd.DataFrame, gradients: pd.DataFrame, min_samples: float = MIN_SAMPLES) -> None:
        self._frames = {"activations": activations, "gradients": gradients}
        self._before = activations[activations["position"] != "activation"].set_index("layer")
        self._after, self._back = (signal_rows(frame).set_index("layer") for frame in (activations, gradients))
        self._min_samples = min_samples

    def values(self, kind: str) -> Iterator[_Value]:
        """Yield layer, value, what the value is of, and the layer that it is relative to."""
        measures: dict[str, Callable[[], Iterator[_Value]]] = {
            "non-finite": self._nonfinite, "symmetric": self._copied, "dead": self._dead,
            "saturated": self._saturated, "collapsed": self._distances, "vanishing": self._sizes,
            "exploding": self._sizes, "shifted mean": self._shifts,
        }  # fmt: skip
        return measures[kind]()

    def _nonfinite(self) -> Iterator[_Value]:
        for of, frame in self._frames.items():
            yield from _rows(frame.groupby("layer", sort=False)["nonfinite"].max(), of)

    def _copied(self) -> Iterator[_Value]:
        # Infinities equal one another without being copies.
        wide = self._before[(self._before["units"] > 1) & (self._before["nonfinite"] == 0)]
        copied = wide["copied_fraction"]
        gradients = self._frames["gradients"]
        if len(gradients):
            # Units with different gradients do not stay equal.
            back = gradients[gradients["position"] != "activation"].set_index("layer")["copied_fraction"]
            copied = copied.combine(back, min).reindex(copied.index)
        else:
            # Units with different weights in the next layer do not stay equal either.
            beside = np.append(copied.iloc[1:], copied.iloc[-2] if len(copied) > 1 else 0.0)[: len(copied)]
            copied = copied.clip(upper=pd.Series(beside, copied.index))
        return _rows(copied)

    def _dead(self) -> Iterator[_Value]:
        enough = self._after["count"] >= self._min_samples * self._after["units"]
        return _rows(self._after.loc[enough, "dead_fraction"])

    def _saturated(self) -> Iterator[_Value]:
        return _rows(self._after["saturated_fraction"])

    def _distances(self) -> Iterator[_Value]:
        distance = 1 - self._before.loc[self._after.index.intersection(self._before.index), "mean_cosine"]
        first = float(distance.iloc[0]) if len(distance) else nan
        # Below the rounding of single precision the samples are equal from the start.
        if first > 1e-5:
            yield from _rows(distance / first, relative_to=str(distance.index[0]))

    def _sizes(self) -> Iterator[_Value]:
        for of, frame, end in (("activations", self._after, 0), ("gradients", self._back, -1)):
            signal = frame["rms"][frame["rms"] > 0]
            if len(signal) > 1:
                ratios = signal / signal.iloc[end]
                yield from _rows(ratios[np.isfinite(ratios)], of, str(signal.index[end]))

    def _shifts(self) -> Iterator[_Value]:
        before = self._before[self._before["position"] == "pre_activation"]
        return _rows(before["mean"].abs() / before["std"].where(before["std"] > 0))


def _rows(values: pd.Series, of: str = "activations", relative_to: str = "") -> Iterator[_Value]:
    return ((str(layer), float(value), of, relative_to) for layer, value in values.items())
