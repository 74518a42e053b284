"""Record of an initialization: what `initialize` did to each parameter."""

from dataclasses import dataclass
from math import prod
from typing import TypedDict

import pandas as pd
import torch

from initsk.network import local_values
from initsk.utils.tables import table_html
from initsk.utils.torch_settings import pieces, working_type
from initsk.utils.words import counted


class Row(TypedDict):
    """One parameter in the record."""

    name: str
    shape: str
    role: str
    initializer: str
    fan_in: int | None
    fan_out: int | None
    expected_std: float
    std_before: float
    std_after: float
    touched: bool
    outcome: str
    why: str


_TYPES = {str: "str", int | None: "Int64", float: "float64", bool: "bool"}
_DTYPES = {name: _TYPES[kind] for name, kind in Row.__annotations__.items()}


@dataclass(frozen=True, repr=False)
class InitializationRecord:
    """Record of what `initialize` did to each parameter of a module.

    Attributes
    ----------
    rows : tuple of dict
        One per parameter, in the order of the module, with the columns of `to_frame`.
    reading : str
        How the network was read: "a forward pass on 2 x 3" or "the layer classes".

    Examples
    --------
    >>> from torch import nn
    >>> from initsk import initialize
    >>> initialize(nn.Linear(3, 2))
    InitializationRecord(2 parameters touched, 0 left; see to_frame())
    """

    rows: tuple[Row, ...]
    reading: str = ""

    def __repr__(self) -> str:
        touched = sum(row["touched"] for row in self.rows)
        parameters, n_left = counted(touched, "parameter"), len(self.rows) - touched
        return f"InitializationRecord({parameters} touched, {n_left} left; see to_frame())"

    def _repr_html_(self) -> str:
        """Return the summary and a short table, for a notebook."""
        columns = ["name", "shape", "role", "initializer", "outcome"]
        return table_html(self.summary(), self.to_frame()[columns])

    def summary(self) -> str:
        """Return one line with the shares of values that were filled, kept and left, and how the network was read.

        Returns
        -------
        str

        Examples
        --------
        >>> from torch import nn
        >>> from initsk import initialize
        >>> print(initialize(nn.Sequential(nn.Linear(30, 20), nn.LayerNorm(20))).summary())
        filled 93.9 % of 660 values (2 parameters), kept 6.1 % (2), left 0.0 % (0); read by a forward pass on 2 x 30
        """
        sizes = [(row["outcome"], prod(map(int, filter(None, row["shape"].split("x"))))) for row in self.rows]
        total = sum(size for _, size in sizes)
        parts = []
        for outcome in ("filled", "kept", "left"):
            own = [size for kind, size in sizes if kind == outcome]
            share = f"{100 * sum(own) / max(total, 1):.1f} %"
            of = f" ({len(own)})"
            if outcome == "filled":
                of = f" of {counted(total, 'value')} ({counted(len(own), 'parameter')})"
            parts.append(f"{outcome} {share}{of}")
        return f"{', '.join(parts)}; read by {self.reading}"

    def to_frame(self) -> pd.DataFrame:
        """Return a row per parameter.

        Returns
        -------
        DataFrame
            Columns name, shape, role, initializer, fan_in, fan_out (of one gate, group or projection if the parameter
            stacks several), expected_std (by the initializer's formula; NaN if it depends on more than the parameter),
            std_before, std_after (population standard deviations; of a sharded parameter those of this process's
            shard), touched, outcome ("filled"; "kept": a normalization, or a value that the network's author
            has set; "left": frozen, tied, or without a rule), and why: the rule that set the parameter, or the reason
            for leaving it unchanged.
        """
        return pd.DataFrame([dict(row) for row in self.rows], columns=list(_DTYPES)).astype(_DTYPES)


def standard_deviation(tensor: torch.Tensor) -> float:
    """Return the population standard deviation; NaN if there are no values.

    Of a sharded tensor it is that of this process's shard, because the other shards need communication.
    """
    values = local_values(tensor.detach())
    if values.is_meta or values.numel() == 0:
        return float("nan")
    values = values.to(working_type(values.dtype))
    if values.is_complex() or not values.is_contiguous() or values.numel() < 2**12:
        return float(values.std(correction=0))
    # Two sums take a fraction of the time of torch's std; they are accurate unless the mean dominates.
    mean = sum(float(piece.mean()) * piece.numel() for piece in pieces(values)) / values.numel()
    variance = float(torch.linalg.vector_norm(values)) ** 2 / values.numel() - mean * mean
    return variance**0.5 if variance > 1e-2 * mean * mean else float(values.std(correction=0))
