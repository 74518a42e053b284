"""One run: one initializer under one seed, measured before, during and after training."""

import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from initsk.initializers import Initializer
from initsk.inspection import inspect_activations
from initsk.utils._torch_settings import torch_threads

# skorch's names of what is noted of an epoch, and ours.
_HISTORY = {
    "epoch": "epoch",
    "train_loss": "train_loss",
    "valid_loss": "test_loss",
    "valid_acc": "test_score",
    "dur": "seconds",
}
# Those that cost little beside the training; the others are columns of NaN.
_MEASURES = ("units",)


@dataclass(frozen=True)
class Task:
    """What one run needs, besides the data."""

    label: str
    initializer: Initializer
    repeat: int
    seed: int


@dataclass
class RunRecord:
    """What one run leaves: rows for the result's frames."""

    task: Task
    status: str = "ok"
    reason: str = ""
    score: float = float("nan")
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    layers: pd.DataFrame = field(default_factory=pd.DataFrame)
    histograms: pd.DataFrame = field(default_factory=pd.DataFrame)
    seconds: float = float("nan")


def run_one(estimator: Any, task: Task, X: Any, y: Any, X_test: Any, y_test: Any) -> RunRecord:
    """Train and measure; an error becomes a failed record, an interrupt goes on."""
    record = RunRecord(task)
    started = time.perf_counter()
    try:
        _measure(record, estimator, X, y, X_test, y_test)
    except Exception as error:
        record.status = "failed"
        record.reason = f"{type(error).__name__}: {error}"
    record.seconds = time.perf_counter() - started
    return record


def _measure(record: RunRecord, estimator: Any, X: Any, y: Any, X_test: Any, y_test: Any) -> None:
    task = record.task
    model = clone(estimator).set_params(initializer=task.initializer, random_state=task.seed, n_threads=1)
    seen = []
    with torch_threads(1), warnings.catch_warnings():
        # The record's status says it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.initialize(X, y)
        seen.append(("initialized", inspect_activations(model, X_test, measures=_MEASURES)))
        model.fit(X, y, X_val=X_test, y_val=y_test)
        seen.append(("trained", inspect_activations(model, X_test, measures=_MEASURES)))
    record.layers = pd.concat([s.to_frame().assign(phase=phase) for phase, s in seen], ignore_index=True)
    record.histograms = pd.concat([s.histograms().assign(phase=phase) for phase, s in seen], ignore_index=True)
    record.history = model.history_[list(_HISTORY)].rename(columns=_HISTORY)
    if np.isfinite(record.history[["train_loss", "test_loss"]].to_numpy()).all():
        record.score = float(record.history["test_score"].iloc[-1])
    else:
        record.status, record.reason = "diverged", "the loss is not finite"
