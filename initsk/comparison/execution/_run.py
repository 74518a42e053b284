"""One run: build a model, train it, score and measure it."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import isfinite, nan
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

from initsk.comparison.design._baseline import Scorer, baseline_scores
from initsk.comparison.design._data import Data, n_samples
from initsk.comparison.design._model_builder import ModelBuilder, inputs_of_last_step, last_step, takes_callbacks
from initsk.comparison.design._runs import Task
from initsk.comparison.execution._monitor import TrainingMonitor, measure_trained
from initsk.comparison.execution._scoring import numbers_of, reasons_of
from initsk.comparison.results._records import RunRecord
from initsk.utils.random import isolated_numpy_random, isolated_torch_random
from initsk.utils.torch_settings import outside_of_contexts, torch_threads


@dataclass(frozen=True)
class Experiment:
    """The settings that all runs of a comparison share."""

    builder: ModelBuilder
    data: Data
    scorer: Scorer
    n_threads: int = 1
    activations: bool = True

    def run(self, task: Task) -> RunRecord:
        """Train and measure; an error or an exit becomes a failed record, an interrupt is raised."""
        record = RunRecord.of(task)
        started = time.perf_counter()
        try:
            # The status of the record has the information of the warning.
            ignored = warnings.catch_warnings(action="ignore", category=ConvergenceWarning)
            with outside_of_contexts(dtype=torch.float32), _fixed(self.n_threads, task.round.seed), ignored:
                self._measure(record, task)
        except KeyboardInterrupt:  # that of a comparison inside is a SystemExit as well
            raise
        except (Exception, SystemExit) as error:
            record.fail("failed", f"{type(error).__name__}: {error}")
        record.seconds = time.perf_counter() - started
        return record

    def _measure(self, record: RunRecord, task: Task) -> None:
        X, y, X_val, y_val = self.data.parts(task.round)
        record.val_ratio = n_samples(y_val) / n_samples(y)
        record.baseline = baseline_scores(self.builder.estimator, self.scorer, y, y_val)
        model = self.builder.build(task.candidate.params, task.round.seed, self.n_threads)
        monitor = self._add_monitor(model, X_val, y_val, during_training=task.round.repeat == task.round.fold == 0)
        started = time.perf_counter()
        model.fit(X, y)
        record.fit_seconds = time.perf_counter() - started
        val_losses: list[float] = []
        if monitor is not None:
            record.history = monitor.epochs
            record.seconds_per_epoch = sum(monitor.seconds) / len(monitor.seconds) if monitor.seconds else nan
            val_losses = [val_loss for _, _, val_loss, _ in monitor.epochs] if monitor.has_loss else []
        # The nets of this package notice a training loss that is not finite.
        diverged = getattr(last_step(model), "diverged_", False) or not all(map(isfinite, val_losses))
        scores = self.scorer(model, X_val, y_val)
        if monitor is not None:
            monitor.measure_end()
            for phase, epoch, layers in monitor.layers:
                record.add_layers(phase, epoch, layers)
        elif self.activations:
            trained, record.no_layers = measure_trained(model, X_val)
            if trained is not None:
                record.add_layers("trained", 0, trained)
        record.set_scores(numbers_of(scores), reasons_of(scores))
        if diverged:
            record.fail("diverged", "the loss is not finite")

    def _add_monitor(self, model: Any, X_val: Any, y_val: Any, *, during_training: bool) -> TrainingMonitor | None:
        """Add a monitor to the callbacks of a model that takes them."""
        net = last_step(model)
        if not takes_callbacks(net):
            return None

        @cache
        def get_inputs() -> tuple[Any, Any]:
            # In a pipeline, the steps before the net are fitted when the net trains.
            return net, inputs_of_last_step(model, X_val)

        def score() -> float:
            return next(iter(numbers_of(self.scorer(model, X_val, y_val)).values()))

        monitor = TrainingMonitor(get_inputs, y_val, score, self.activations, during_training)
        net.set_params(callbacks=[*(net.callbacks or []), ("initsk_monitor", monitor)])
        return monitor


@contextmanager
def _fixed(n_threads: int, seed: int) -> Iterator[None]:
    """Fix the number of threads, and the global random states for models without a random state of their own."""
    with (
        torch_threads(n_threads), _threadpools().limit(limits=n_threads),
        isolated_torch_random(seed), isolated_numpy_random(seed),
    ):  # fmt: skip
        yield


@cache
def _threadpools() -> ThreadpoolController:
    """Find the libraries of this process that have threads; that takes milliseconds."""
    return ThreadpoolController()
