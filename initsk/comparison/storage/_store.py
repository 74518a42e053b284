"""The store: an SQLite file that every finished run is committed to."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from initsk.comparison.design._candidates import Candidate
from initsk.comparison.design._runs import RunKey, Task
from initsk.comparison.results._records import RunRecord, make_frames
from initsk.comparison.storage._database import Database, new_file, open_database
from initsk.comparison.storage._identity import data_and_versions, differences, identify_run
from initsk.comparison.storage._rows import from_json, insert, key_of, read, record_of
from initsk.exceptions import StoreError
from initsk.utils.files import as_path, write_atomic
from initsk.utils.words import counted

# If this many processes in a row are killed without finishing a run, the next run may be the cause.
_MAX_KILLED = 2


@dataclass
class Store:
    """The runs of one experiment in a file that stays valid if the process is killed at any moment.

    Parameters
    ----------
    database : Database
        The open file.
    common : dict of str to str
        Columns that are the same in all rows.
    is_stuck : bool
        Whether the last two processes were killed before they finished a run; the next run may be the cause.
    """

    database: Database
    common: dict[str, str]
    is_stuck: bool

    @property
    def path(self) -> Path:
        """The file."""
        return self.database.path

    def finished(self, tasks: Iterable[Task]) -> dict[RunKey, RunRecord]:
        """Return the records of the tasks whose runs are in the file.

        Raises
        ------
        StoreError
            If a run is damaged, or has the same key and other values, another seed or another split.
        """
        wanted = {task.key: task for task in tasks}
        found = {}
        for columns in _read_runs(self.database):
            key = key_of(columns)
            if key not in wanted:
                continue
            if columns["made_of"] != identify_run(wanted[key]):
                reason = f"its values, seed or split differ ({columns['made_of']:.300})"
                raise StoreError(f"{self.path} has another run of {wanted[key].candidate}: {reason}")
            found[key] = record_of(self.database, columns)
        return found

    def check_writable(self, n_runs: int) -> None:
        """Raise StoreError if runs are still to be kept, and the file cannot be written."""
        if not self.database.is_writable:
            raise StoreError(
                f"{self.path} cannot be written, and {counted(n_runs, 'run')} of the comparison are not in it"
            )

    def finish(self, task: Task, record: RunRecord) -> None:
        """Commit a finished run, unless another process has committed it meanwhile."""
        row = task.key._asdict() | self.common | {"made_of": identify_run(task)} | record.to_columns()
        with self.database.transaction():
            totals = _totals(self.database)
            insert(self.database.execute, "runs", row, known="IGNORE")
            [(n_new,)] = self.database.execute("SELECT changes()")
            totals["runs"] += n_new
            insert(self.database.execute, "totals", {"id": 0} | totals, known="REPLACE")

    def describe(self, settings: dict[str, Any], candidates: Sequence[Candidate]) -> None:
        """Replace the description of the comparison: its settings and its candidates in their order."""
        names = [(candidate.label, candidate.setting) for candidate in candidates]
        row = {"id": 0, "settings": json.dumps(settings), "candidates": json.dumps(names)}
        if self.database.is_writable:
            insert(self.database.execute, "comparison", row, known="REPLACE")


@contextmanager
def open_store(path: str | Path, identity: dict[str, str]) -> Iterator[Store]:
    """Open a store, or create one if the file is missing; a file that is not a store stays unchanged.

    `identity` is what all runs share (`identify`).

    Raises
    ------
    StoreError
        If the file is not a store, is damaged, cannot be used, or has another experiment.
    """
    path = _expanded(path, "store")
    if not path.exists():
        write_store(path, identity)
    with open_database(path) as database:
        different = differences(read_identity(database), identity)
        if different:
            raise StoreError(f"{path} has another experiment, and this one needs another file: {different}")
        # Nothing is written before all rows are checked.
        for _ in chain(read(database, "comparison"), _read_runs(database)):
            pass
        with _session(database) as is_stuck:
            yield Store(database, data_and_versions(identity), is_stuck)


@contextmanager
def _session(database: Database) -> Iterator[bool]:
    """Note that this process uses the file; yield whether the processes before it were killed again and again."""
    if not database.is_writable:
        yield False
        return
    killed = "SELECT count(*) FROM open_sessions WHERE finished = (SELECT count(*) FROM runs)"
    [(n_killed,)] = database.execute(killed)
    begin = "INSERT INTO open_sessions (finished) SELECT count(*) FROM runs RETURNING id"
    [session] = database.execute(begin)
    try:
        # Only every second time, as a kill with another cause may come before the run gets its own process.
        yield n_killed > 0 and n_killed % _MAX_KILLED == 0
    finally:
        database.execute("DELETE FROM open_sessions WHERE id = ?", session)


def write_store(
    path: Path, identity: dict[str, str], runs: Sequence[dict[str, Any]] = (), described: Sequence[dict[str, Any]] = ()
) -> None:
    """Create a store with runs and the description of a comparison, unless another process has created the file.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """

    def fill(connection: sqlite3.Connection) -> None:
        for name, value in identity.items():
            insert(connection.execute, "experiment", {"name": name, "value": value})
        insert(connection.execute, "experiment_copy", {"id": 0, "content": json.dumps(identity)})
        for row in runs:
            insert(connection.execute, "runs", row)
        for row in described:
            insert(connection.execute, "comparison", {"id": 0} | row)
        insert(connection.execute, "totals", {"id": 0, "parts": len(identity), "runs": len(runs)})

    try:
        write_atomic(path, new_file(fill), replace=False)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror})") from error


def read_identity(database: Database) -> dict[str, str]:
    """Return what all runs share, as both tables have it."""
    there = {row["name"]: row["value"] for row in read(database, "experiment")}
    copies = [from_json(database, row["content"]) for row in read(database, "experiment_copy")]
    if copies != [there]:
        raise database.damage("a part of the experiment is missing")
    return there


def tables_of_store(path: str | Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables and settings of the last comparison with this file.

    Raises
    ------
    StoreError
        If the file is not a store, is damaged, or has no finished run.
    """
    path = _expanded(path, "path")
    with open_database(path) as database:
        read_identity(database)
        described = list(read(database, "comparison"))
        if not described:
            raise StoreError(f"{path} has no comparison yet: the call ended before the first run")
        settings, names = (from_json(database, described[0][name]) for name in ("settings", "candidates"))
        runs = list(_read_runs(database))
        try:
            candidates = [Candidate(label, {}, setting) for label, setting in names]
            keys = {candidate.key for candidate in candidates}
            found = [record_of(database, columns) for columns in runs if key_of(columns).candidate in keys]
            records = [record for record in found if record.key.repeat < settings["n_repeats"]]
            if records:
                return make_frames(records, candidates), settings
        except (ValueError, TypeError, KeyError, IndexError) as error:
            if isinstance(error, StoreError):
                raise
            raise database.damage(f"a record has another form: {type(error).__name__}") from error
    raise StoreError(f"{path} has no finished run yet")


def _read_runs(database: Database) -> Iterator[dict[str, Any]]:
    """Yield the columns of every run; raise StoreError if one is damaged or missing."""
    # Another process may add runs meanwhile.
    with database.transaction("DEFERRED"):
        n_runs, n_found = _totals(database)["runs"], 0
        for columns in read(database, "runs"):
            n_found += 1
            yield columns
    if n_found != n_runs:
        raise database.damage(f"{counted(n_found, 'run')} of {n_runs} are left")


def _totals(database: Database) -> dict[str, int]:
    """Return the numbers of rows that the tables must have."""
    totals = list(read(database, "totals"))
    if len(totals) != 1:
        raise database.damage("the number of its runs is missing")
    return totals[0]


def _expanded(path: str | Path, name: str) -> Path:
    path = as_path(path, name, StoreError)
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
    except OSError as error:
        raise StoreError(f"{path} cannot be used ({error.strerror})") from error
    return path
