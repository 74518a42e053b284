"""Who is clearly significantly_worse before all runs are done."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison.design._candidates import Candidate, without_addresses
from initsk.comparison.design._data import n_samples
from initsk.comparison.design._runs import Block, RunKey, Task, tasks_of
from initsk.comparison.execution._execute import Execution, Progress
from initsk.comparison.execution._run import Experiment
from initsk.comparison.results._records import RunRecord, make_frames
from initsk.comparison.results._result import ComparisonInterrupted, ComparisonResult
from initsk.comparison.results._statistics import Scores, scores_of
from initsk.comparison.storage._store import Store

_ALPHA = 0.05
# With two blocks a t-test has one degree of freedom, and sees what is far apart alone.
_MIN_BLOCKS = 2


def significantly_worse(
    candidates: Sequence[Candidate], blocks: Sequence[Block], records: Mapping[RunKey, RunRecord], n_planned: int
) -> list[Candidate]:
    """Return the candidates that are worse than the best after these blocks, of `n_planned` in all.

    By the test of `ComparisonResult.summary`, at its level divided by the number of looks, so that in all
    experiments but one in twenty nobody is left out for noise. Who has no score at all is significantly_worse too.
    """
    if not _MIN_BLOCKS <= len(blocks) < n_planned:
        return []
    scores = _scores(candidates, blocks, records)
    best = scores.labels[0]
    level, p_values = _ALPHA / (n_planned - _MIN_BLOCKS), scores.p_values()
    lost = {label for label in scores.labels[1:] if p_values[best, label] < level or not len(scores.values(label))}
    return [candidate for candidate in candidates if str(candidate.key) in lost]


def _scores(candidates: Sequence[Candidate], blocks: Sequence[Block], records: Mapping[RunKey, RunRecord]) -> Scores:
    rows = []
    for candidate in candidates:
        for block in blocks:
            record = records[(*candidate.key, block.repeat, block.fold)]
            rows.append((str(candidate.key), block.repeat, record.split, record.val_ratio, record.score))
    runs = pd.DataFrame(rows, columns=["candidate", "repeat", "split", "val_ratio", "score"])
    return scores_of(runs, runs["candidate"])


@dataclass(frozen=True)
class Plan:
    """Every candidate in every block, or `racing` as long as it is not clearly significantly_worse."""

    experiment: Experiment
    candidates: list[Candidate]
    blocks: list[Block]
    racing: bool = False

    @property
    def tasks(self) -> list[Task]:
        """Every run, block by block, so that what has finished is always nearly paired."""
        return list(tasks_of(self.candidates, self.blocks))

    @property
    def varied(self) -> list[str]:
        """Names of the parameters that differ from run to run."""
        return list(self.candidates[0].params)

    def settings(self) -> dict[str, Any]:
        """Say what is run, as text and numbers."""
        data, first = self.experiment.data, self.blocks[0]
        return {
            "n_train": n_samples(data.y if first.train is None else first.train),
            "n_val": n_samples(data.y_val if first.test is None else first.test),
            "n_features": int(np.prod(data.X.shape[1:])) if hasattr(data.X, "shape") else None,
            "n_planned": len(self.candidates) * len(self.blocks),
            "estimator": without_addresses(repr(self.experiment.subject.estimator)),
            "parameter": self.experiment.subject.parameter,
        }

    def carry_out(
        self, settings: dict[str, Any], n_jobs: int | None, store: Store | None, shown: bool
    ) -> ComparisonResult:
        """Run everything that the store does not know yet.

        Raises
        ------
        ComparisonInterrupted
            On an interrupt.
        """
        tasks = self.tasks
        known = {} if store is None else store.finished(tasks)
        if store is not None:
            store.describe(settings, self.candidates)
        progress = Progress(len(tasks), len(known), shown)
        execution = Execution(self.experiment, n_jobs, store, progress, known)
        try:
            with progress:
                if self.racing:
                    settings = settings | {"racing": self._race(execution)}
                    if store is not None:
                        store.describe(settings, self.candidates)
                else:
                    execution.carry_out(tasks)
        except KeyboardInterrupt as error:
            interrupted = self._interrupted(execution, settings, store)
            print(interrupted, file=sys.stderr)
            raise interrupted from error
        return self._result(execution, settings)

    def _race(self, execution: Execution) -> dict[str, Any]:
        """Go block by block, and leave out who is clearly significantly_worse; say who, after how many blocks, and what it saved."""
        left, stopped = list(self.candidates), {}
        for number, block in enumerate(self.blocks, start=1):
            execution.carry_out(tasks_of(left, [block]))
            for candidate in significantly_worse(left, self.blocks[:number], execution.records, len(self.blocks)):
                left.remove(candidate)
                stopped[str(candidate)] = number
                execution.progress.leave_out(len(self.blocks) - number)
        return {"stopped": stopped, "runs_saved": sum(len(self.blocks) - number for number in stopped.values())}

    def _interrupted(
        self, execution: Execution, settings: dict[str, Any], store: Store | None
    ) -> ComparisonInterrupted:
        partial = self._result(execution, settings) if execution.records else None
        path = None if store is None else store.path
        return ComparisonInterrupted(partial, len(execution.records), settings["n_planned"], path)

    def _result(self, execution: Execution, settings: dict[str, Any]) -> ComparisonResult:
        return ComparisonResult(make_frames(list(execution.records.values()), self.candidates), settings)
