"""All runs of a comparison, and how they become a result."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from initsk.comparison._candidates import Candidate, without_addresses
from initsk.comparison._data import n_samples
from initsk.comparison._design import Block, Task, tasks_of
from initsk.comparison._execute import Execution
from initsk.comparison._frames import make_frames
from initsk.comparison._interrupted import ComparisonInterrupted
from initsk.comparison._progress import Progress
from initsk.comparison._racing import behind
from initsk.comparison._result import ComparisonResult
from initsk.comparison._run import Experiment
from initsk.comparison._store import Store


@dataclass(frozen=True)
class Plan:
    """Every candidate in every block, or `halving` as long as it is not clearly behind."""

    experiment: Experiment
    candidates: list[Candidate]
    blocks: list[Block]
    halving: bool = False

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
            "n_test": n_samples(data.y_test if first.test is None else first.test),
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
                if self.halving:
                    settings = settings | {"halving": self._race(execution)}
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
        """Go block by block, and leave out who is clearly behind; say who, after how many blocks, and what it saved."""
        left, dropped = list(self.candidates), {}
        for number, block in enumerate(self.blocks, start=1):
            execution.carry_out(tasks_of(left, [block]))
            for candidate in behind(left, self.blocks[:number], execution.records, len(self.blocks)):
                left.remove(candidate)
                dropped[str(candidate)] = number
                execution.progress.leave_out(len(self.blocks) - number)
        return {"dropped": dropped, "runs_saved": sum(len(self.blocks) - number for number in dropped.values())}

    def _interrupted(
        self, execution: Execution, settings: dict[str, Any], store: Store | None
    ) -> ComparisonInterrupted:
        partial = self._result(execution, settings) if execution.records else None
        path = None if store is None else store.path
        return ComparisonInterrupted(partial, len(execution.records), settings["n_planned"], path)

    def _result(self, execution: Execution, settings: dict[str, Any]) -> ComparisonResult:
        return ComparisonResult(make_frames(list(execution.records.values()), self.candidates), settings)
