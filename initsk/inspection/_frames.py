"""Data frames of an inspection: their columns, their types, and their construction from rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from initsk.inspection.statistics._layer import QUANTILES
from initsk.utils.validation import check_parameters, one_of

# Name of the second column of a frame by its kind of values: a position, or the name of a parameter in its layer.
_SECOND_COLUMN = {"activations": "position", "gradients": "position", "weights": "parameter"}
#: The kinds of values that have statistics.
VALUE_KINDS = tuple(_SECOND_COLUMN)
_TEXT_COLUMNS = ("layer", "position", "module", "function")
_COUNT_COLUMNS = ("units", "count", "nonfinite")
STATISTICS_COLUMNS = (
    *_TEXT_COLUMNS, "units", "count", "mean", "std", "rms", "min", "max", "skewness", "kurtosis",
    *(f"q{round(100 * q):02d}" for q in QUANTILES), "quantile_error", "zero_fraction", "dead_fraction",
    "saturated_fraction", "copied_fraction", "nonfinite", "effective_rank", "participation_ratio", "mean_cosine",
)  # fmt: skip
_DTYPES = {
    name: "str" if name in _TEXT_COLUMNS else "int64" if name in _COUNT_COLUMNS else "float64"
    for name in STATISTICS_COLUMNS
}
_PARAMETERS = {
    "name": "str", "size": "int64", "weight_norm": "float64", "gradient_norm": "float64",
    "gradient_to_weight": "float64", "update_norm": "float64", "update_to_weight": "float64",
}  # fmt: skip
_TIME = {"step": "int64", "epoch": "int64"}


def check_value_kind(method: str, of: str) -> None:
    """Raise InvalidParameterError if there are no statistics of this kind of values."""
    check_parameters(method, {"of": of}, {"of": one_of("statistics", VALUE_KINDS)})


class PackedBins(NamedTuple):
    """A histogram as bytes, with its layer and its position (for weights: its parameter).

    Many small arrays that stay in memory would fragment the memory that large tensors need.
    """

    layer: str
    position: str
    edges: bytes
    counts: bytes

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.counts) // 8


def parameters_frame(rows: Sequence[Sequence[Any]], timed: bool = False) -> pd.DataFrame:
    """Return the norms of parameters, a row per parameter; `timed` rows begin with step and epoch."""
    dtypes = _TIME | _PARAMETERS if timed else _PARAMETERS
    return pd.DataFrame(list(rows), columns=list(dtypes)).astype(dtypes)


def statistics_frame(rows: Sequence[Sequence[Any]], of: str, timed: bool = False) -> pd.DataFrame:
    """Return statistics, a row per layer and position (or parameter); `timed` rows begin with step and epoch."""
    dtypes = _TIME | _DTYPES if timed else _DTYPES
    frame = pd.DataFrame(list(rows), columns=list(dtypes)).astype(dtypes)
    return frame.rename(columns={"position": _SECOND_COLUMN[of]})


def histograms_frame(
    histograms: Sequence[PackedBins], of: str, times: Sequence[tuple[int, int]] | None = None
) -> pd.DataFrame:
    """Return a row per bin of each histogram; the rows begin with step and epoch if there are `times`."""
    n_bins = [histogram.n_bins for histogram in histograms]
    edges = [np.frombuffer(histogram.edges) for histogram in histograms]
    counts = np.frombuffer(b"".join(histogram.counts for histogram in histograms), np.int64).copy()
    left, right = (np.concatenate([np.zeros(0), *parts]) for parts in ([e[:-1] for e in edges], [e[1:] for e in edges]))
    columns: dict[str, Any] = {}
    if times is not None:
        columns = {name: np.repeat([time[i] for time in times], n_bins) for i, name in enumerate(_TIME)}
    columns |= {"layer": np.repeat([histogram.layer for histogram in histograms], n_bins)}
    columns |= {_SECOND_COLUMN[of]: np.repeat([histogram.position for histogram in histograms], n_bins)}
    totals = [max(int(np.frombuffer(histogram.counts, np.int64).sum()), 1) for histogram in histograms]
    density = counts / np.repeat(totals, n_bins) / (right - left)
    columns |= {"left": left, "right": right, "count": counts, "density": density}
    dtypes = {name: _TIME.get(name, "str") for name in columns if name in (*_TIME, "layer", _SECOND_COLUMN[of])}
    return pd.DataFrame(columns).astype(dtypes)


def signal_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows after activation functions, or of all layers but the last if there are none.

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
