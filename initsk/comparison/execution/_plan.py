"""The plan of a comparison: every candidate in every round, with or without racing."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from initsk.comparison.design._candidates import Candidate, storable
from initsk.comparison.design._data import n_samples
from initsk.comparison.design._runs import Round, RunKey, Task
from initsk.comparison.execution._execute import Execution
from initsk.comparison.execution._run import Experiment
from initsk.comparison.results._interrupted import ComparisonInterrupted
from initsk.comparison.results._records import RunRecord, make_frames
from initsk.comparison.results._result import ComparisonResult
from initsk.comparison.results._statistics import paired_scores
from initsk.comparison.storage._store import Store

_ALPHA = 0.05
# After two rounds a t-test has one degree of freedom, and detects only large differences.
_MIN_ROUNDS = 2


def significantly_worse(
    candidates: Sequence[Candidate], rounds: Sequence[Round], records: Mapping[RunKey, RunRecord], n_planned: int
) -> list[Candidate]:
    """Return the candidates that are significantly worse than the best after these rounds, of `n_planned` in all.

    The test is that of `ComparisonResult.summary`, at its level divided by the number of tests, so that in 95 % of
    comparisons no candidate is stopped by chance. A candidate without any score counts as significantly worse.
    """
    if not _MIN_ROUNDS <= len(rounds) < n_planned:
        return []
    finished = [(str(c.key), records[Task(c, round_).key]) for c in candidates for round_ in rounds]
    rows = [(label, record.key.repeat, record.split, record.val_ratio, record.score) for label, record in finished]
    runs = pd.DataFrame(rows, columns=["candidate", "repeat", "split", "val_ratio", "score"])
    scores = paired_scores(runs, runs["candidate"])
    best = scores.labels[0]
    alpha, p_values = _ALPHA / (n_planned - _MIN_ROUNDS), scores.p_values()
    worse = {label for label in scores.labels[1:] if p_values[best, label] < alpha or not len(scores.values(label))}
    return [candidate for candidate in candidates if str(candidate.key) in worse]


@dataclass(frozen=True)
class Plan:
    """Every candidate in every round or, with `racing`, until it is significantly worse than the best."""

    experiment: Experiment
    candidates: list[Candidate]
    rounds: list[Round]
    racing: bool = False

    @property
    def varied(self) -> list[str]:
        """Names of the parameters that differ from run to run."""
        return list(self.candidates[0].params)

    def settings(self) -> dict[str, Any]:
        """Return a description of the runs, as text and numbers."""
        data, first = self.experiment.data, self.rounds[0]
        return {
            "n_train": n_samples(data.y if first.train is None else first.train),
            "n_val": n_samples(data.y_val if first.test is None else first.test),
            "n_features": int(np.prod(data.X.shape[1:])) if hasattr(data.X, "shape") else None,
            "n_planned": len(self.candidates) * len(self.rounds),
            "estimator": storable(repr(self.experiment.builder.estimator)),
            "parameter": self.experiment.builder.parameter,
        }

    def carry_out(
        self, settings: dict[str, Any], n_jobs: int | None, store: Store | None, show_progress: bool
    ) -> ComparisonResult:
        """Run everything that is not yet in the store.

        Raises
        ------
        ComparisonInterrupted
            On an interrupt.
        """
        # Round by round, so that the finished runs are nearly paired at any time.
        tasks = [Task(candidate, round_) for round_ in self.rounds for candidate in self.candidates]
        known: Mapping[RunKey, RunRecord] = {}
        if store is not None:
            known = store.finished(tasks)
            store.describe(settings, self.candidates)
        # Without smoothing, the time left follows from the mean duration of all runs so far.
        progress = tqdm(
            total=len(tasks), initial=len(known), desc="runs", unit="run", smoothing=0, file=sys.stderr,
            disable=not show_progress,
        )  # fmt: skip
        execution = Execution(self.experiment, n_jobs, store, progress, known)
        try:
            with progress:
                if not self.racing:
                    execution.carry_out(tasks)
                else:
                    settings = settings | {"racing": self._race(execution)}
                    if store is not None:
                        store.describe(settings, self.candidates)
        except KeyboardInterrupt as error:
            partial = self._result(execution, settings) if execution.records else None
            path = None if store is None else store.path
            interrupted = ComparisonInterrupted(partial, len(execution.records), settings["n_planned"], path)
            # A program that names its command says in its own words what was kept.
            if "command" not in settings:
                print(interrupted, file=sys.stderr)
            raise interrupted from error
        return self._result(execution, settings)

    def _race(self, execution: Execution) -> dict[str, Any]:
        """Stop candidates that are significantly worse; return them, each with its rounds, and the runs saved."""
        racing, stopped, progress = list(self.candidates), {}, execution.progress
        for number, round_ in enumerate(self.rounds, start=1):
            execution.carry_out(Task(candidate, round_) for candidate in racing)
            for candidate in significantly_worse(racing, self.rounds[:number], execution.records, len(self.rounds)):
                racing.remove(candidate)
                stopped[str(candidate)] = number
                progress.total = max(progress.total - (len(self.rounds) - number), progress.n)
                progress.refresh()
        return {"stopped": stopped, "runs_saved": sum(len(self.rounds) - number for number in stopped.values())}

    def _result(self, execution: Execution, settings: dict[str, Any]) -> ComparisonResult:
        return ComparisonResult(make_frames(list(execution.records.values()), self.candidates), settings)
