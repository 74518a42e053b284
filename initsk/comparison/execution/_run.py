"""Worker processes that do not outlive the comparison that they work for."""

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import isfinite, nan
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

from initsk.comparison.design._data import Data, n_samples
from initsk.comparison.design._runs import Task
from initsk.comparison.design._subject import Subject, can_be_recorded, last_step
from initsk.comparison.execution._layers import RunRecorder
from initsk.comparison.results._records import RunRecord
from initsk.utils.random import isolated_numpy_random, isolated_torch_random
from initsk.utils.torch_settings import torch_threads

_CHECK_EVERY_S = 0.5
_guarded: set[int] = set()


def end_with(owner: int) -> None:
    """End this process soon after its parent does, if that parent is `owner`.

    A killed comparison cannot tell its workers, which would train on for nobody.
    """
    if os.getppid() != owner or owner in _guarded:
        return
    _guarded.add(owner)
    threading.Thread(target=_watch, args=(owner,), name="initsk-orphans", daemon=True).start()


def _watch(owner: int) -> None:
    while os.getppid() == owner:
        time.sleep(_CHECK_EVERY_S)
    os._exit(1)


#: Scores of a fitted estimator by name; the first is the one that ranks.
Scorer = Callable[[Any, Any, Any], dict[str, float]]


@dataclass(frozen=True)
class Experiment:
    """What all runs of a comparison have in common."""

    subject: Subject
    data: Data
    scorer: Scorer
    n_threads: int = 1
    activations: bool = True

    def run(self, task: Task, owner: int) -> RunRecord:
        """Train and measure; an error becomes a failed record, an interrupt goes on.

        A process that works for another one, `owner`, ends when that one does.
        """
        end_with(owner)
        record = RunRecord.of(task)
        started = time.perf_counter()
        try:
            with _fixed(self.n_threads, task.block.seed), warnings.catch_warnings():
                # The record's status says it.
                warnings.simplefilter("ignore", ConvergenceWarning)
                self._measure(record, task)
        except Exception as error:
            record.fail("failed", f"{type(error).__name__}: {error}")
        record.seconds = time.perf_counter() - started
        return record

    def _measure(self, record: RunRecord, task: Task) -> None:
        X, y, X_val, y_val = self.data.parts(task.block)
        record.val_ratio = n_samples(y_val) / n_samples(y)
        model = self.subject.build(task.candidate.params, task.block.seed, self.n_threads)
        witness = self._watch(model, X_val, y_val, on_the_way=task.block.repeat == task.block.fold == 0)
        started = time.perf_counter()
        model.fit(X, y)
        record.fit_seconds = time.perf_counter() - started
        if witness is not None:
            record.history, record.seconds_per_epoch = witness.epochs, _mean(witness.seconds)
        # Our nets notice a training loss that is not finite themselves.
        held_out = [val_loss for _, _, val_loss, _ in record.history] if witness and witness.has_loss else []
        diverged = getattr(last_step(model), "diverged_", False) or not all(map(isfinite, held_out))
        record.scores = {name: float(score) for name, score in self.scorer(model, X_val, y_val).items()}
        if witness is not None:
            witness.measure_end()
            for measured in witness.measured_layers:
                record.add_layers(*measured)
        if diverged:
            record.fail("diverged", "the loss is not finite")
        elif not all(map(isfinite, record.scores.values())):
            record.fail("failed", "a score is not finite")

    def _watch(self, model: Any, X_val: Any, y_val: Any, *, on_the_way: bool) -> RunRecorder | None:
        """Put a witness among the callbacks of a net, if there is one."""
        last = last_step(model)
        if not can_be_recorded(last):
            return None
        before = model[:-1] if last is not model else None

        @cache
        def see() -> tuple[Any, Any]:
            # Inside of a pipeline, what comes before is fitted once the net trains.
            return last, before.transform(X_val) if before else X_val

        def score() -> float:
            return next(iter(self.scorer(model, X_val, y_val).values()))

        witness = RunRecorder(see, y_val, score, self.activations, on_the_way)
        last.set_params(callbacks=[*(last.callbacks or []), ("initsk_witness", witness)])
        return witness


@contextmanager
def _fixed(n_threads: int, seed: int) -> Iterator[None]:
    """Fix the threads, and the random numbers of whatever has no random state of its own."""
    with (
        torch_threads(n_threads),
        _threadpools().limit(limits=n_threads),
        isolated_torch_random(seed),
        isolated_numpy_random(seed),
    ):
        yield


@cache
def _threadpools() -> ThreadpoolController:
    """Find the libraries of this process that have threads; that takes milliseconds."""
    return ThreadpoolController()


def _mean(seconds: list[float]) -> float:
    return sum(seconds) / len(seconds) if seconds else nan
