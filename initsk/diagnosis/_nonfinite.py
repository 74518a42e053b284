"""Values in the data that are NaN or infinite."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch

from initsk.network import arrays_in, map_arrays, to_array
from initsk.utils.precision import nonfinite_kinds
from initsk.utils.torch_settings import as_tensor, stored_values

# Columns that a label lists; of more columns, it is that of the whole array.
_MAX_COLUMNS = 3


class NonFinite(NamedTuple):
    """An array with values that are not finite.

    Attributes
    ----------
    name : str
        With the columns that have them.
    n_samples : int
        How many samples have them.
    what : str
        "NaN", "infinity" or "NaN and infinity".
    """

    name: str
    n_samples: int
    what: str


def nonfinite_arrays(pairs: Iterable[tuple[Any, Any]]) -> list[NonFinite]:
    """Return the arrays of X and y that have values which are NaN or infinite, over some batches.

    Examples
    --------
    >>> nonfinite_arrays([([[0.0, float("nan")], [1.0, 1.0]], [0, 1])])
    [NonFinite(name='X[:, 1]', n_samples=1, what='NaN')]
    """
    n_samples: Counter[str] = Counter()
    columns: dict[str, set[int]] = {}
    kinds: dict[str, set[str]] = {}
    labels: list[Any] = []
    for X, y in pairs:
        labels = list(getattr(X, "columns", labels))
        for name, array in (arrays_in(map_arrays(to_array, X)) | _targets(y)).items():
            bad = _bad_values(array)
            if bad is not None and bad.any():
                kinds.setdefault(name, set()).update(nonfinite_kinds(stored_values(as_tensor(array))))
                n_samples[name] += int(bad.reshape(len(bad), -1).any(1).sum())
                columns.setdefault(name, set()).update(bad.any(0).nonzero()[:, 0].tolist() if bad.dim() == 2 else ())
    return [
        NonFinite(_label(name, sorted(columns[name]), labels), n, " and ".join(sorted(kinds[name])))
        for name, n in n_samples.items()
    ]


def nonfinite_rows(X: Any, y: Any, n_samples: int) -> np.ndarray:
    """Return the numbers of the samples that have values which are NaN or infinite.

    Examples
    --------
    >>> nonfinite_rows([[0.0, float("nan")], [1.0, 1.0]], [0, 1], 2)
    array([0])
    """
    bad = np.zeros(n_samples, bool)
    for array in (arrays_in(map_arrays(to_array, X)) | _targets(y)).values():
        found = _bad_values(array)
        if found is not None and len(found) == n_samples:
            bad |= found.reshape(n_samples, -1).any(1).numpy(force=True)
    return bad.nonzero()[0]


def _bad_values(array: Any) -> torch.Tensor | None:
    """Return where an array is not finite, of a sparse one among the stored values; None if all values are finite."""
    if not isinstance(array, torch.Tensor) and np.asarray(array).dtype.kind not in "fc":
        return None
    values = stored_values(as_tensor(array))
    is_real = values.is_floating_point() or values.is_complex()
    # A sum takes a tenth of the time, and is finite only if all values are.
    return ~values.isfinite() if is_real and values.dim() and not values.sum().isfinite() else None


def _targets(y: Any) -> dict[str, Any]:
    return {} if y is None else arrays_in(y, "y")


def _label(name: str, columns: list[int], labels: list[Any]) -> str:
    if not 0 < len(columns) <= _MAX_COLUMNS:
        return name
    if name == "X" and labels:
        return f"X[{', '.join(repr(labels[column]) for column in columns)}]"
    return f"{name}[:, {columns[0] if len(columns) == 1 else columns}]"
