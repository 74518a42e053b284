"""Checked data of the multilayer perceptrons, and how a part of them is held out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array
from skorch.dataset import Dataset
from torch.utils.data import Subset

#: What skorch calls to split a data set into one for training and one for validation.
Split = Callable[..., Any]


@dataclass(frozen=True)
class Samples:
    """Samples, what the net learns from, and weights of mean 1 or None."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the samples that count."""
        return np.arange(len(self.X)) if self.weight is None else np.flatnonzero(self.weight)

    @property
    def target(self) -> Any:
        """What goes to skorch as y."""
        return self.y if self.weight is None else (self.y, self.weight)

    def counted(self) -> Dataset | Subset:
        """Return the samples that count as a data set, without weights."""
        dataset = Dataset(self.X, self.y)
        return dataset if self.weight is None else _subset(dataset, self.rows)


def check_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return weights of mean 1, so that the learning rate means the same with and without; None stays.

    Raises
    ------
    ValueError
        If one is missing, negative or not finite, or all are zero.

    Examples
    --------
    >>> check_weight([2, 6, 0], np.ones((3, 1))).tolist()
    [0.5, 1.5, 0.0]
    """
    if sample_weight is None:
        return None
    weight = as_weight(sample_weight, len(X))
    if not weight.any():
        raise ValueError("the weights of all samples are zero")
    normalised: np.ndarray = weight / weight[weight > 0].mean()
    return normalised


def as_weight(sample_weight: Any, n_samples: int) -> np.ndarray:
    """Return a weight for each sample; one number counts for all.

    Raises
    ------
    ValueError
        If there is not one for each sample, or one is missing, negative or not finite.
    """
    weight: np.ndarray = check_array(
        np.full(n_samples, sample_weight) if np.isscalar(sample_weight) else sample_weight,
        ensure_2d=False,
        dtype=np.float64,
        input_name="sample_weight",
    )
    if weight.shape != (n_samples,):
        raise ValueError(f"sample_weight has the shape {weight.shape} (a number for each of {n_samples} samples)")
    if (weight < 0).any():
        raise ValueError("sample_weight has negative values (allowed: 0 and above)")
    return weight


def hold_out(samples: Samples, fraction: float, seed: int, stratify: bool) -> Split:
    """Return a split that holds out a part of the samples that count; no data are copied.

    Raises
    ------
    ValueError
        If there are too few samples, or too few of a class.
    """
    rows = samples.rows
    labels = samples.y[rows] if stratify else None
    train, valid = train_test_split(rows, test_size=fraction, random_state=seed % 2**32, stratify=labels)
    return partial(_split_rows, train, valid)


def _split_rows(train: np.ndarray, valid: np.ndarray, dataset: Dataset, y: Any = None) -> tuple[Subset, Subset]:
    return _subset(dataset, train), _subset(dataset, valid)


def _subset(dataset: Dataset, rows: np.ndarray) -> Subset:
    # An array, though torch says list: of many rows that would be several times as large.
    return Subset(dataset, cast(Sequence[int], rows))
