"""Carrying out runs with joblib, and again those that lost their worker process."""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from typing import Any

from joblib import Parallel, delayed
from joblib.parallel import BACKENDS, get_active_backend
from tqdm import tqdm

from initsk.comparison.design._runs import RunKey, Task
from initsk.comparison.execution._run import Experiment
from initsk.comparison.results._records import RunRecord
from initsk.comparison.storage._store import Store
from initsk.exceptions import InvalidParameterError
from initsk.text import number_text, shortened
from initsk.utils.workers import end_with, later_interrupt, stopped_quietly

KILLED = "the process of the run was killed, as the system does when memory runs out"


@dataclass
class Execution:
    """Carry out runs, and keep their records; with a store, commit them.

    When a worker process is killed, all runs under way are repeated, one at a time, each in its own process. The
    run that is killed again has failed. The next run of a store that is stuck gets its own process as well.

    Parameters
    ----------
    experiment : Experiment
        The settings that all runs share.
    n_jobs : int or None
        Number of runs at once, as in joblib.
    store : Store or None
        Where every finished run is committed.
    progress : tqdm
        Counts finished runs.
    known : mapping of RunKey to RunRecord
        Runs that finished before.

    Attributes
    ----------
    records : dict of RunKey to RunRecord
        The finished runs of the tasks given so far.
    """

    experiment: Experiment
    n_jobs: int | None
    store: Store | None
    progress: tqdm
    known: Mapping[RunKey, RunRecord]
    records: dict[RunKey, RunRecord] = field(default_factory=dict, init=False)
    _suspects: set[RunKey] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._is_stuck = self.store is not None and self.store.is_stuck

    def carry_out(self, tasks: Iterable[Task]) -> None:
        """Run the tasks that have not finished.

        Raises
        ------
        KeyboardInterrupt
            On an interrupt; the workers have ended, and `records` has the finished runs.
        """
        backend, _ = get_active_backend()
        if not backend.supports_return_generator:
            reason = "returns results only at the end (allowed: loky, threading, dask)"
            raise InvalidParameterError(f"joblib's {type(backend).__name__} {reason}")
        wanted = {task.key: task for task in tasks}
        # With racing, not every known run is wanted.
        self.records |= {key: self.known[key] for key in wanted if key in self.known}
        waiting = {key: task for key, task in wanted.items() if key not in self.records}
        if self.store is not None and waiting:
            self.store.check_writable(len(waiting))
        if self._is_stuck and waiting:
            self._suspects.add(next(iter(waiting)))
            self._is_stuck = False
        while waiting:
            for key in self._suspects & waiting.keys():
                self._run_in_own_process(waiting.pop(key))
            started: set[RunKey] = set()
            try:
                self._run_in_parallel(waiting, started)
            except Exception as error:
                if not _is_death(error):
                    raise
                self._suspects |= started & waiting.keys()

    def _run_in_parallel(self, waiting: dict[RunKey, Task], started: set[RunKey], **where: Any) -> None:
        """Run all waiting tasks; a finished one is removed from `waiting`. `where` are arguments for joblib."""
        tasks = list(waiting.values())
        backend = BACKENDS[where["backend"]] if where else type(get_active_backend()[0])
        if backend is BACKENDS["loky"]:
            where |= {"initializer": end_with, "initargs": (os.getpid(),)}

        def calls() -> Iterator[Any]:
            for task in tasks:
                started.add(task.key)
                yield delayed(self.experiment.run)(task)

        # joblib starts all workers at once, however few tasks there are; with one, it would use this process.
        n_jobs = self.n_jobs and min(self.n_jobs, max(len(tasks), 2))
        results = None
        with stopped_quietly():
            try:
                with later_interrupt():
                    results = Parallel(**{"n_jobs": n_jobs, "return_as": "generator_unordered"} | where)(calls())
                for record in results:
                    self._keep(waiting.pop(record.key), record)
            finally:
                # joblib warns that it stops runs, which is intended.
                with warnings.catch_warnings(action="ignore"):
                    if results is not None:
                        results.close()

    def _run_in_own_process(self, task: Task) -> None:
        waiting = {task.key: task}
        try:
            # With a single worker, joblib would run the task in this process.
            self._run_in_parallel(waiting, set(), n_jobs=2, backend="loky")
        except BrokenExecutor:
            self._keep(task, RunRecord.of(task).fail("failed", KILLED))

    def _keep(self, task: Task, record: RunRecord) -> None:
        if self.store is not None:
            self.store.finish(task, record)
        self.records[task.key] = record
        outcome = number_text(record.score) if record.status == "ok" else record.status
        self.progress.set_postfix_str(f"{shortened(record.key.initializer, 40)}: {outcome}", refresh=False)
        self.progress.update()


def _is_death(error: Exception) -> bool:
    """Return whether an error means that a worker process is gone: joblib's, or Dask's after several attempts."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"
