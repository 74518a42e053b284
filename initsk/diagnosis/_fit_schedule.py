"""The batches of an estimator's fit: their size, and how many steps they make."""

import warnings
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset

from initsk.diagnosis._samples import count_rows
from initsk.network import Model, arguments_of, is_stream, preserve_generators, to_array
from initsk.utils.random import isolated_random


@dataclass(frozen=True)
class FitSchedule:
    """The batches of a fit.

    Parameters
    ----------
    batch_size : int or None
        Largest number of samples in a batch; None if it is not known.
    n_steps : int or None
        Batches of all epochs; None if it is not known.
    """

    batch_size: int | None = None
    n_steps: int | None = None


def schedule_of_fit(model: Model, X: Any, y: Any) -> FitSchedule:
    """Return the schedule by which the net of an estimator would fit these samples; no random state changes."""
    net = model.net
    size, epochs = _positive(getattr(net, "batch_size", None)), getattr(net, "max_epochs", None)
    if not hasattr(net, "get_split_datasets") or not isinstance(epochs, int):
        return FitSchedule(size)
    if isinstance(X, Dataset):
        y = getattr(X, "y", None)
    elif is_stream(X):
        return FitSchedule(size)
    else:
        X, y = arguments_of(model.module, model.prepared(X), y)
        X, y = (to_array(name, part) if isinstance(part, list) else part for name, part in (("X", X), ("y", y)))
        if count_rows(X) is None:
            return FitSchedule(size)
        y = model.encode(y)
    with preserve_generators(net.train_split), isolated_random(None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batches = _training_batches(net, X, y)
    try:
        n_batches = len(batches)
    except TypeError:  # of an unknown number
        return FitSchedule(size)
    return FitSchedule(_positive(getattr(batches, "batch_size", None)) or size, max(epochs * n_batches, 1))


def _training_batches(net: Any, X: Any, y: Any) -> Any:
    """Return the iterator of an epoch; of the whole data set if it cannot be split, and None if there is none."""
    try:
        dataset, _ = net.get_split_datasets(X, y)
    except Exception:  # a user's split may raise anything
        dataset = None
    try:
        return net.get_iterator(net.get_dataset(X, y) if dataset is None else dataset, training=True)
    except Exception:  # a user's iterator may raise anything
        return None


def _positive(size: Any) -> int | None:
    """Return a batch size; None for the whole data set, or without one."""
    return size if isinstance(size, int) and size > 0 else None
