"""The frames of an inspection: columns, types, and how rows become frames."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from initsk.inspection.statistics._layer import QUANTILES
from initsk.utils.validation import check_parameters, one_of

NAMES = ("layer", "position", "module", "function")
# What the second column of a frame is called: where values were taken, or the name of a parameter in its layer.
PLACE = {"activations": "position", "gradients": "position", "weights": "parameter"}
#: What a frame is of.
OF = tuple(PLACE)
_COUNTS = ("units", "count", "nonfinite")
COLUMNS = (
    *NAMES, "units", "count", "mean", "std", "rms", "min", "max", "skewness", "kurtosis",
    *(f"q{round(100 * q):02d}" for q in QUANTILES), "quantile_error", "zero_fraction", "dead_fraction",
    "saturated_fraction", "copied_fraction", "nonfinite", "effective_rank", "participation_ratio", "mean_cosine",
)  # fmt: skip
_DTYPES = {name: "str" if name in NAMES else "int64" if name in _COUNTS else "float64" for name in COLUMNS}
_PARAMETERS = {
    "name": "str", "size": "int64", "weight_norm": "float64", "gradient_norm": "float64",
    "gradient_to_weight": "float64", "update_norm": "float64", "update_to_weight": "float64",
}  # fmt: skip
_TIME = {"step": "int64", "epoch": "int64"}


def check_of(method: str, of: str) -> None:
    """Raise InvalidParameterError if a frame of something else is asked for."""
    check_parameters(method, {"of": of}, {"of": one_of("statistics", OF)})


class Bins(NamedTuple):
    """A histogram with its layer and the position (of weights: the parameter) that its values come from."""

    layer: str
    position: str
    edges: np.ndarray
    counts: np.ndarray

    def packed(self) -> "PackedBins":
        """Return the same in a form of which many can be kept."""
        return PackedBins(self.layer, self.position, self.edges.tobytes(), self.counts.tobytes())


class PackedBins(NamedTuple):
    """A histogram as bytes: small arrays that stay would cut up the memory that large tensors come and go in."""

    layer: str
    position: str
    edges: bytes
    counts: bytes

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.counts) // 8

    def unpacked(self) -> Bins:
        """Return it as arrays."""
        return Bins(self.layer, self.position, np.frombuffer(self.edges), np.frombuffer(self.counts, np.int64))


def parameters_frame(rows: Sequence[Sequence[Any]], timed: bool = False) -> pd.DataFrame:
    """Return a row per parameter; `timed` rows begin with step and epoch."""
    dtypes = _TIME | _PARAMETERS if timed else _PARAMETERS
    return pd.DataFrame(list(rows), columns=list(dtypes)).astype(dtypes)


def statistics_frame(rows: Sequence[Sequence[Any]], of: str, timed: bool = False) -> pd.DataFrame:
    """Return a row per layer and position, or parameter; `timed` rows begin with step and epoch."""
    dtypes = _TIME | _DTYPES if timed else _DTYPES
    frame = pd.DataFrame(list(rows), columns=list(dtypes)).astype(dtypes)
    return frame.rename(columns={"position": PLACE[of]})


def histograms_frame(parts: Sequence[Bins], of: str, times: Sequence[tuple[int, int]] | None = None) -> pd.DataFrame:
    """Return a row per bin of each histogram; with step and epoch where there are times."""
    n_bins = [len(part.counts) for part in parts]
    counts = _joined([part.counts for part in parts]).astype(np.int64)
    left, right = _joined([part.edges[:-1] for part in parts]), _joined([part.edges[1:] for part in parts])
    totals = np.repeat([max(int(part.counts.sum()), 1) for part in parts], n_bins)
    columns: dict[str, Any] = {}
    if times is not None:
        columns = {name: np.repeat([time[i] for time in times], n_bins) for i, name in enumerate(_TIME)}
    columns |= {"layer": np.repeat([part.layer for part in parts], n_bins)}
    columns |= {PLACE[of]: np.repeat([part.position for part in parts], n_bins)}
    columns |= {"left": left, "right": right, "count": counts, "density": counts / totals / (right - left)}
    dtypes = {name: _TIME.get(name, "str") for name in columns if name in (*_TIME, "layer", PLACE[of])}
    return pd.DataFrame(columns).astype(dtypes)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0)


def signal_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows after activation functions; of a network without any, those of all layers but the last.

    Parameters
    ----------
    frame : DataFrame
        Columns layer and position, layers in the order of the forward pass.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> signal_rows(pd.DataFrame({"layer": ["a", "a", "b"], "position": ["pre_activation", "activation", "output"]}))
      layer        position
    1     a  activation
    """
    after = frame[frame["position"] == "activation"]
    return after if len(after) or frame.empty else frame[frame["layer"] != frame["layer"].iloc[-1]]
