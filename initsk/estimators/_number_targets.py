"""The targets of a regressor: numbers, standardized for the network."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from initsk.exceptions import InvalidParameterError
from initsk.utils.labels import check_present
from initsk.utils.precision import describe_too_large, to_numpy
from initsk.utils.words import counted


@dataclass(frozen=True)
class NumberTarget:
    """Numbers to predict, and what makes the network's targets of them.

    Parameters
    ----------
    scaler : StandardScaler
        Fitted on the training targets.
    standardize : bool
        Whether the network learns standardized targets.
    is_flat : bool
        Whether y has one dimension.

    Examples
    --------
    >>> target = NumberTarget.of(np.array([10.0, 30.0]), None, standardize=True)
    >>> target.encode(np.array([10.0, 30.0])).tolist(), target.decode(np.array([[-1.0], [1.0]])).tolist()
    ([[-1.0], [1.0]], [10.0, 30.0])
    """

    scaler: StandardScaler
    standardize: bool
    is_flat: bool

    @classmethod
    def of(cls, y: np.ndarray, weight: np.ndarray | None, *, standardize: bool) -> "NumberTarget":
        """Return the target whose mean and standard deviation are those of y, by sample weight.

        Raises
        ------
        InvalidParameterError
            If there are numbers beyond the range of single precision.
        """
        _check_range(y, "y")
        scaler = StandardScaler().fit(_columns(y), sample_weight=weight)
        return cls(scaler, standardize, y.ndim == 1)

    @property
    def n_outputs(self) -> int:
        """Number of targets."""
        return int(self.scaler.n_features_in_)

    def encode(self, y: Any, name: str = "y") -> np.ndarray:
        """Return what the network learns, with a column for each target.

        Raises
        ------
        InvalidParameterError
            If y has another number of targets, infinite values, numbers beyond the range of single precision, or
            missing values among Python objects, which would become NaN.
        """
        values = to_numpy(y)
        if values.dtype == object or (values.dtype.kind == "f" and np.isinf(values).any()):
            check_present(name, values)
        _check_range(values, name)
        columns = _columns(values)
        if columns.shape[1] != self.n_outputs:
            targets = counted(columns.shape[1], "target")
            raise InvalidParameterError(f"{name} has {targets}, and the model was fitted with {self.n_outputs}")
        # Targets of validation samples may be far from those of the training.
        with np.errstate(over="ignore"):
            encoded: np.ndarray = (self.scaler.transform(columns) if self.standardize else columns).astype(np.float32)
        return encoded

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return predictions in the unit of y; the mean of the training targets for outputs that are not finite."""
        predicted: np.ndarray = self.scaler.inverse_transform(outputs) if self.standardize else outputs
        predicted = np.where(np.isfinite(predicted), predicted, self.scaler.mean_)
        return predicted.ravel() if self.is_flat else predicted


def _columns(y: np.ndarray) -> np.ndarray:
    return y.reshape(len(y), -1).astype(np.float64)


def _check_range(y: np.ndarray, name: str) -> None:
    too_large = describe_too_large(y, name)
    if too_large is not None:
        raise InvalidParameterError(f"{too_large}, as TransformedTargetRegressor does")
