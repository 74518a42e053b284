"""How far a comparison is, and how long it will take."""

import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor
from typing import Any, Self

from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from tqdm import tqdm

from initsk.comparison.design._runs import RunKey, Task
from initsk.comparison.execution._run import Experiment
from initsk.comparison.results._records import RunRecord
from initsk.comparison.storage._store import Store
from initsk.exceptions import InvalidParameterError


class Progress:
    """A bar with the time left, on standard error.

    Parameters
    ----------
    total : int
        Planned runs.
    done : int
        Those that had finished before.
    shown : bool
        Whether there is a bar at all.
    """

    def __init__(self, total: int, done: int, shown: bool) -> None:
        # Runs at a fixed pace make "time left" simple: no smoothing towards the latest.
        self._bar = tqdm(
            total=total, initial=done, desc="runs", unit="run", smoothing=0, file=sys.stderr, disable=not shown
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def finish(self, record: RunRecord) -> None:
        """Count a finished run, and say what came out."""
        said = f"{record.score:.4f}" if record.status == "ok" else record.status
        self._bar.set_postfix_str(f"{record.key[0]}: {said}", refresh=False)
        self._bar.update()

    def leave_out(self, n_runs: int) -> None:
        """Expect so many runs less."""
        self._bar.total = max(self._bar.total - n_runs, self._bar.n)
        self._bar.refresh()


KILLED = "the process that ran it was killed, as the system does when memory runs out"


class Execution:
    """Carry out runs and keep what they leave, in a store too if there is one.

    When a worker process is killed, all runs that were under way are run again, one at a time in a process of
    their own. The one that is killed there as well has failed; the others have not. The same is done for the next
    run of a store that is stuck.

    Parameters
    ----------
    experiment : Experiment
        What all runs have in common.
    n_jobs : int or None
        Runs at once, as joblib counts.
    store : Store or None
        Where every finished run is committed.
    progress : Progress
        What is told of every finished run.
    known : mapping of RunKey to RunRecord
        Runs that finished before.

    Attributes
    ----------
    records : dict of RunKey to RunRecord
        Of the runs that were asked for and have finished.
    """

    def __init__(
        self,
        experiment: Experiment,
        n_jobs: int | None,
        store: Store | None,
        progress: Progress,
        known: Mapping[RunKey, RunRecord],
    ) -> None:
        self.experiment = experiment
        self.n_jobs = n_jobs
        self.store = store
        self.progress = progress
        self.records: dict[RunKey, RunRecord] = {}
        self._known = known
        self._suspects: set[RunKey] = set()
        self._is_stuck = store is not None and store.is_stuck

    def carry_out(self, tasks: Iterable[Task]) -> None:
        """Run those tasks that have not finished.

        Raises
        ------
        KeyboardInterrupt
            When it comes; the workers have ended, and what had finished is in `records`.
        """
        self._check_backend()
        wanted = {task.key: task for task in tasks}
        # Of the known runs those that are asked for: a race may do without others.
        self.records |= {key: self._known[key] for key in wanted if key in self._known}
        waiting = {key: task for key, task in wanted.items() if key not in self.records}
        if self._is_stuck and waiting:
            self._suspects.add(next(iter(waiting)))
            self._is_stuck = False
        while waiting:
            for key in self._suspects & waiting.keys():
                task = waiting.pop(key)
                self._keep(task, self._alone(task))
            begun: set[RunKey] = set()
            try:
                self._together(waiting, begun)
            except Exception as error:
                if not _is_death(error):
                    raise
                self._suspects |= begun & waiting.keys()

    def _check_backend(self) -> None:
        backend, _ = get_active_backend()
        if not backend.supports_return_generator:
            raise InvalidParameterError(
                f"joblib's {type(backend).__name__} gives its results at the end alone (allowed: loky, threading, dask)"
            )

    def _together(self, waiting: dict[RunKey, Task], begun: set[RunKey]) -> None:
        """Run all that wait, several at once; who has finished waits no more."""
        tasks = list(waiting.values())

        def calls() -> Iterator[Any]:
            for task in tasks:
                begun.add(task.key)
                yield self._call(task)

        results = Parallel(n_jobs=self.n_jobs, return_as="generator_unordered")(calls())
        try:
            for record in results:
                self._keep(waiting.pop(record.key), record)
        finally:
            with warnings.catch_warnings():
                # joblib says that runs were cut short, which they were.
                warnings.simplefilter("ignore")
                results.close()

    def _alone(self, task: Task) -> RunRecord:
        """Run one task in a process of its own."""
        try:
            # joblib would run the job of a single worker in this process.
            [record] = Parallel(n_jobs=2, backend="loky")([self._call(task)])
        except BrokenExecutor:
            return RunRecord.of(task).fail("failed", KILLED)
        return record

    def _call(self, task: Task) -> Any:
        return delayed(self.experiment.run)(task, os.getpid())

    def _keep(self, task: Task, record: RunRecord) -> None:
        if self.store is not None:
            self.store.finish(task, record)
        self.records[task.key] = record
        self.progress.finish(record)


def _is_death(error: Exception) -> bool:
    """Say whether an error is that of a worker process which is gone: joblib's, or Dask's after several tries."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"
