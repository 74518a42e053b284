"""Checked training data of the multilayer perceptrons: sample weights and the split into training and validation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array
from skorch.dataset import Dataset
from torch.utils.data import Subset

from initsk.exceptions import InvalidParameterError
from initsk.utils.words import counted, reason_of

#: A function that skorch calls with a data set and y; it returns a data set for training and one for validation.
TrainSplit = Callable[..., Any]


@dataclass(frozen=True)
class TrainingData:
    """Checked samples, encoded targets, and sample weights of mean 1 or None."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    @property
    def weighted_rows(self) -> np.ndarray:
        """Indices of the samples with a positive weight."""
        return np.arange(len(self.X)) if self.weight is None else np.flatnonzero(self.weight)

    @property
    def skorch_y(self) -> Any:
        """The argument y of skorch's methods: the targets, with the weights if there are any."""
        return self.y if self.weight is None else (self.y, self.weight)

    def dataset(self) -> Dataset | Subset:
        """Return the samples with a positive weight as a data set of X and y."""
        dataset = Dataset(self.X, self.y)
        return dataset if self.weight is None else _subset(dataset, self.weighted_rows)


def check_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return weights whose mean over the positive ones is 1, or None if there are no weights.

    With this mean the learning rate has the same effect as without weights.

    Raises
    ------
    InvalidParameterError
        If a weight is not a number, missing, negative or not finite, or all are zero.

    Examples
    --------
    >>> check_weight([2, 6, 0], np.ones((3, 1))).tolist()
    [0.5, 1.5, 0.0]
    """
    if sample_weight is None:
        return None
    weight = as_weight(sample_weight, len(X))
    if not weight.any():
        raise InvalidParameterError("the weights of all samples are zero (allowed: at least one above 0)")
    normalized: np.ndarray = weight / weight[weight > 0].mean()
    return normalized


def as_weight(sample_weight: Any, n_samples: int) -> np.ndarray:
    """Return a weight up to 1 for each sample, in the ratio of the given ones; a single number applies to all samples.

    Raises
    ------
    InvalidParameterError
        If the number of weights is not the number of samples, or a weight is not a number, missing, negative or not
        finite.
    """
    given = np.full(n_samples, sample_weight) if np.isscalar(sample_weight) else sample_weight
    try:
        weight: np.ndarray = check_array(given, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    except (TypeError, ValueError) as error:
        allowed = "a finite number >= 0 for each sample"
        raise InvalidParameterError(f"sample_weight: {reason_of(error).rstrip('.')} (allowed: {allowed})") from error
    if weight.shape != (n_samples,):
        allowed = f"one number per sample, {n_samples}"
        raise InvalidParameterError(f"sample_weight has the shape {weight.shape} (allowed: {allowed})")
    if (weight < 0).any():
        raise InvalidParameterError("sample_weight has negative values (allowed: 0 and above)")
    # A power of 2 changes no digit, and sums of weights up to 1 do not overflow.
    scaled: np.ndarray = np.ldexp(weight, -np.frexp(weight.max())[1])
    return scaled


@dataclass(frozen=True)
class HeldOut:
    """Split that holds out a part of the samples with a positive weight; no data are copied.

    Parameters
    ----------
    fraction : float
        Of the samples.
    seed : int
    stratify : bool
        Whether each class is held out in its share; never with several labels per sample.

    Raises
    ------
    InvalidParameterError
        When called with too few samples, or too few samples of a class.
    """

    fraction: float
    seed: int
    stratify: bool

    def __call__(self, dataset: Dataset, y: Any) -> tuple[Subset, Subset]:
        """Return the data sets for training and for validation."""
        labels, weight = y if isinstance(y, tuple) else (y, None)
        rows = np.arange(len(dataset)) if weight is None else np.flatnonzero(weight)
        train, valid = self._rows(rows, labels)
        return _split_rows(train, valid, dataset)

    def of(self, data: TrainingData) -> TrainSplit:
        """Return the split of these data, which does not look at the labels again."""
        return partial(_split_rows, *self._rows(data.weighted_rows, data.y))

    def _rows(self, rows: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
        classes = labels[rows] if self.stratify and labels.ndim == 1 else None
        try:
            parts: list[np.ndarray] = train_test_split(
                rows, test_size=self.fraction, random_state=self.seed % 2**32, stratify=classes
            )
        except ValueError as error:
            problem = f"validation_fraction={self.fraction!r} of {counted(len(rows), 'sample')} cannot be held out"
            allowed = "another validation_fraction, X_val and y_val, or early_stopping=False"
            raise InvalidParameterError(f"{problem}: {reason_of(error).rstrip('.')} (allowed: {allowed})") from error
        return parts


def _split_rows(train: np.ndarray, valid: np.ndarray, dataset: Dataset, y: Any = None) -> tuple[Subset, Subset]:
    return _subset(dataset, train), _subset(dataset, valid)


def _subset(dataset: Dataset, rows: np.ndarray) -> Subset:
    # torch declares a list of indices; an array takes a fraction of the memory.
    return Subset(dataset, cast(Sequence[int], rows))
