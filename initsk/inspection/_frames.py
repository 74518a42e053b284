"""Data frames of an inspection: their columns, their types, and their construction from rows."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from initsk.inspection.statistics._layer import QUANTILE_COLUMNS
from initsk.utils.validation import check_parameters, one_of

# Name of the second column of a frame by its kind of values: a position, or the name of a parameter in its layer.
_SECOND_COLUMN = {"activations": "position", "gradients": "position", "weights": "parameter"}
#: The kinds of values that have statistics.
VALUE_KINDS = tuple(_SECOND_COLUMN)
_TEXT_COLUMNS = ("layer", "position", "module", "function")
_COUNT_COLUMNS = ("units", "count", "nonfinite")
STATISTICS_COLUMNS = (
    *_TEXT_COLUMNS, "units", "count", "mean", "std", "rms", "min", "max", "skewness", "kurtosis",
    *QUANTILE_COLUMNS, "quantile_error", "zero_fraction", "dead_fraction",
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


def _typed_frame(rows: Iterable[Sequence[Any]], dtypes: dict[str, str], timed: bool) -> pd.DataFrame:
    dtypes = _TIME | dtypes if timed else dtypes
    columns = list(zip(*rows, strict=True)) or [()] * len(dtypes)
    # A frame of typed columns is made faster than types are changed in a frame.
    typed = zip(dtypes.items(), columns, strict=True)
    return pd.DataFrame({name: pd.Series(values, dtype=kind) for (name, kind), values in typed})


def parameters_frame(rows: Sequence[Sequence[Any]], timed: bool = False) -> pd.DataFrame:
    """Return the norms of parameters, a row per parameter; `timed` rows begin with step and epoch."""
    return _typed_frame(rows, _PARAMETERS, timed)


def statistics_frame(rows: Sequence[Sequence[Any]], of: str, timed: bool = False) -> pd.DataFrame:
    """Return statistics, a row per layer and position (or parameter); `timed` rows begin with step and epoch."""
    return _typed_frame(rows, _DTYPES, timed).rename(columns={"position": _SECOND_COLUMN[of]})


def histograms_frame(
    histograms: Sequence[PackedBins], of: str, times: Sequence[Sequence[int]] | None = None
) -> pd.DataFrame:
    """Return a row per bin of each histogram; the rows begin with step and epoch if there are `times`."""
    n_bins = [histogram.n_bins for histogram in histograms]
    rows = [(*time, h.layer, h.position) for time, h in zip(times or [()] * len(histograms), histograms, strict=True)]
    frame = _typed_frame(rows, {"layer": "str", _SECOND_COLUMN[of]: "str"}, times is not None)
    frame = frame.take(np.repeat(np.arange(len(rows)), n_bins)).reset_index(drop=True)
    edges = [np.frombuffer(histogram.edges) for histogram in histograms]
    counts = np.frombuffer(b"".join(histogram.counts for histogram in histograms), np.int64).copy()
    left, right = (np.concatenate([np.zeros(0), *parts]) for parts in ([e[:-1] for e in edges], [e[1:] for e in edges]))
    totals = [max(int(np.frombuffer(histogram.counts, np.int64).sum()), 1) for histogram in histograms]
    density = counts / np.repeat(totals, n_bins) / (right - left)
    return frame.assign(left=left, right=right, count=counts, density=density)


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
