"""The data of a comparison: checks before any training, and the split into training and validation samples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from skorch.utils import multi_indexing

from initsk.comparison.design._runs import Round, fold_rounds, held_out_rounds
from initsk.datasets import is_dataset, to_arrays
from initsk.exceptions import InvalidParameterError
from initsk.utils.columns import (
    ABOUT_DATES,
    are_dates,
    describe_not_numeric,
    describe_unusable,
    has_dates,
    text_among_numbers,
)
from initsk.utils.labels import check_labels, check_numbers, check_present
from initsk.utils.precision import widened
from initsk.utils.validation import check_known_labels
from initsk.utils.words import counted, listed, reason_of

#: Returns the types that X is converted to, or None to leave X as it is.
TypesOf = Callable[[Any], "list[type] | None"]
#: What an estimator predicts.
Target = Literal["classes", "numbers", "any"]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Data:
    """Samples and targets; with them the validation samples that all runs share, unless folds are held out."""

    X: Any
    y: Any
    X_val: Any = None
    y_val: Any = None

    def parts(self, round_: Round) -> tuple[Any, Any, Any, Any]:
        """Return X, y, X_val and y_val of one round."""
        if round_.train is None:
            return self.X, self.y, self.X_val, self.y_val
        return _parts(self.X, self.y, round_.train, round_.test)


def _parts(X: Any, y: Any, *rows: Any) -> Any:
    """Return X and y at each of several sets of rows."""
    return tuple(multi_indexing(part, some) for some in rows for part in (X, y))


def hold_out(X: Any, y: Any, seed: int, *, stratify: bool = True) -> Arrays:
    """Return X, y, X_val and y_val, of which the last two have a quarter of the samples.

    With `stratify`, both parts have every class; with several labels per sample, the split is random.

    Raises
    ------
    InvalidParameterError
        If a class has a single sample, or there are too few samples for all classes.
    """
    stratify = stratify and np.ndim(y) == 1
    if stratify:
        _check_classes(y)
    labels, rows = y if stratify else None, np.arange(n_samples(y))
    try:
        train, test = train_test_split(rows, test_size=0.25, stratify=labels, random_state=seed % 2**32)
    except ValueError as error:
        by_class = " by class" if stratify else ""
        raise InvalidParameterError(f"the data cannot be split{by_class}: {reason_of(error)}") from error
    return _parts(X, y, train, test)


def split_data(
    data: Data, cv: Any, groups: Any, *, has_classes: bool, n_repeats: int, seed: int
) -> tuple[Data, list[Round]]:
    """Return the data with their validation samples, and the rounds.

    Raises
    ------
    InvalidParameterError
        If the data cannot be split in this way.
    """
    if groups is not None and cv is None:
        raise InvalidParameterError("groups need a cv that keeps them together; give cv too")
    if cv is None:
        if data.X_val is None:
            data = Data(*hold_out(data.X, data.y, seed, stratify=has_classes))
        return data, held_out_rounds(n_repeats, seed)
    if data.X_val is not None:
        raise InvalidParameterError("cv and X_val are not allowed together: scores are of the folds or of X_val")
    return data, fold_rounds(cv, data.X, data.y, groups, has_classes, n_repeats, seed)


def check_data(X: Any, y: Any, X_val: Any, y_val: Any, *, types_of: TypesOf, target: Target) -> Data:
    """Return the data as given; X becomes a matrix of one of the types that `types_of` returns for it, if any.

    Raises
    ------
    InvalidParameterError
        If the data have a fault that would make every run fail.
    """
    if y is None:
        raise InvalidParameterError("y is missing; only X that is a data set, of torch or Hugging Face, has targets")
    if (X_val is None) != (y_val is None):
        raise InvalidParameterError("X_val and y_val go together; only one of them was given")
    names = [list(part.columns) if hasattr(part, "columns") else None for part in (X, X_val)]
    if None not in names and names[0] != names[1]:
        raise InvalidParameterError(f"X_val has the columns {names[1]}, X has {names[0]}")
    X, y = _check_pair(X, y, "", types_of, target)
    if X_val is None:
        return Data(X, y)
    X_val, y_val = _check_pair(X_val, y_val, "_val", types_of, target)
    if types_of(X) and X_val.shape[1] != X.shape[1]:
        raise InvalidParameterError(f"X_val has {counted(X_val.shape[1], 'feature')}, X has {X.shape[1]}")
    if target == "classes":
        _check_labels_of_val(y_val, y)
    return Data(X, y, X_val, y_val)


def as_arrays(X: Any, y: Any, types_of: TypesOf) -> tuple[Any, Any]:
    """Return X and y, of a data set of torch or Hugging Face as arrays; `y` may name its column of targets.

    The samples become rows where `types_of` says that X must be a matrix.

    Raises
    ------
    InvalidParameterError
        If the data set cannot become arrays.
    """
    if not is_dataset(X):
        return X, y
    if not (y is None or isinstance(y, str)):
        raise InvalidParameterError(
            "X is a data set, which has targets of its own: leave out y, or give the name of its column of targets"
        )
    X, y = to_arrays(X, y)
    return (X.reshape(len(X), -1) if types_of(X) else X), y


def _check_labels_of_val(y_val: np.ndarray, y: np.ndarray) -> None:
    if y_val.shape[1:] != y.shape[1:]:
        raise InvalidParameterError(f"y_val has the shape {y_val.shape}, and y has the shape {y.shape}")
    check_known_labels("y_val", y_val.ravel(), y.ravel())


def n_samples(values: Any) -> int:
    """Return the number of samples of an array, a frame, or a mapping or tuple of several inputs."""
    if isinstance(values, dict):
        values = next(iter(values.values()))
    elif isinstance(values, tuple):
        values = values[0]
    return int(values.shape[0]) if hasattr(values, "shape") else len(values)


def class_shares(y: Any) -> list[list[Any]]:
    """Return each class and its share of the samples, the most frequent class first; [] with several outputs.

    Examples
    --------
    >>> class_shares(np.array(["no", "yes", "no", "no"]))
    [['no', 0.75], ['yes', 0.25]]
    """
    if np.ndim(y) > 1:
        return []
    labels, counts = np.unique(np.asarray(y), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [[str(labels[place]), float(counts[place] / counts.sum())] for place in order]


def _check_pair(X: Any, y: Any, suffix: str, types_of: TypesOf, target: Target) -> tuple[Any, Any]:
    name, name_of_y = f"X{suffix}", f"y{suffix}"
    try:
        X, y = widened(X), widened(y)
        if isinstance(X, list):
            X = np.asarray(X)
        if types := types_of(X):
            X = _as_matrix(X, types, name)
        if target == "classes":
            check_labels(name_of_y, y)
        elif target == "numbers":
            check_numbers(name_of_y, y)
            y = np.asarray(y) if isinstance(y, list) else y
        check_present(name_of_y, y)
        if target == "classes":
            y = np.asarray(y) if type_of_target(y) == "multilabel-indicator" else column_or_1d(y)
        if n_samples(X) != n_samples(y):
            raise ValueError(f"inconsistent numbers of samples: {n_samples(X)} and {n_samples(y)}")
        if target == "classes":
            check_classification_targets(y)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"{name} and {name_of_y}: {reason_of(error)}") from error
    return X, y


def _as_matrix(X: Any, types: list[type], name: str) -> np.ndarray:
    if has_dates(X):
        raise InvalidParameterError(describe_not_numeric(X))
    try:
        # The cast makes numbers that are too large infinite, which scikit-learn refuses.
        with np.errstate(over="ignore", invalid="ignore"):
            matrix: np.ndarray = check_array(X, dtype=types, input_name=name)
    except (TypeError, ValueError) as error:
        reason = describe_unusable(X, name) or reason_of(error)
        raise InvalidParameterError(reason) from error
    return matrix


def _check_classes(y: Any) -> None:
    labels, first, counts = np.unique(y, return_index=True, return_counts=True)
    if len(labels) == 1:
        found = f"the target has a single class, {labels.tolist()[0]!r}"
        raise InvalidParameterError(f"{found} (allowed: at least two classes)")
    single = np.flatnonzero(counts < 2)
    if len(single):
        if are_dates(labels):
            found = f"the target has dates, {len(single)} of {len(labels)} of them only once, so they are no classes"
            raise InvalidParameterError(f"{found}; {ABOUT_DATES}")
        examples = listed([f"{labels[i : i + 1].tolist()[0]!r} in row {first[i] + 1}" for i in single], 3)
        reason = f"classes with a single sample: {len(single)} of {len(labels)} ({examples})"
        hint = "every class needs two samples"
        if text := text_among_numbers(y):
            hint = f"nearly all values of the target are numbers, but {text}; correct or leave out such rows"
        if labels.dtype.kind in "iuf":
            hint = "if the target has numbers to predict, use a regressor (--task regression on the command line)"
        raise InvalidParameterError(f"the data cannot be split by class; {reason}; {hint}")
