"""The store: an SQLite file that every finished run is committed to."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd

from initsk.comparison.design._candidates import Candidate
from initsk.comparison.design._runs import RunKey, Task
from initsk.comparison.results._records import RunRecord, make_frames
from initsk.comparison.storage._identity import data_and_versions, differences, identify_run
from initsk.exceptions import StoreError

# "init" as a number, for SQLite's field that names the program of a file.
_APPLICATION = 0x696E6974
_FORMAT = 3
_MAGIC = b"SQLite format 3\x00"
# With a write-ahead log, a commit takes one write to the disk, and readers do not wait.
_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORMAT};
CREATE TABLE experiment (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    initializer TEXT NOT NULL, setting TEXT NOT NULL, repeat INTEGER NOT NULL, fold INTEGER NOT NULL,
    made_of TEXT NOT NULL, data TEXT NOT NULL, versions TEXT NOT NULL,
    seed INTEGER NOT NULL, split INTEGER NOT NULL, val_ratio REAL, status TEXT NOT NULL, reason TEXT NOT NULL,
    scores TEXT NOT NULL, history TEXT NOT NULL, statistics TEXT NOT NULL, histograms TEXT NOT NULL,
    seconds REAL, fit_seconds REAL, seconds_per_epoch REAL,
    PRIMARY KEY (initializer, setting, repeat, fold)
) WITHOUT ROWID;
-- What the last call with this file compares, for a report.
CREATE TABLE comparison (id INTEGER PRIMARY KEY CHECK (id = 0), settings TEXT NOT NULL, candidates TEXT NOT NULL);
-- A row for every process that opened the file and did not close it, with the number of runs at the start.
CREATE TABLE open_sessions (id INTEGER PRIMARY KEY, finished INTEGER NOT NULL);
"""
# If this many processes in a row are killed without finishing a run, the next run may be the cause.
_MAX_KILLED = 2
_WAIT_S = 60.0


@dataclass
class Store:
    """The runs of one experiment in a file that stays valid if the process is killed at any moment.

    Parameters
    ----------
    path : Path
        The file.
    connection : sqlite3 Connection
        Commits every statement at once.
    common : dict of str to str
        Columns that are the same in all rows.
    is_stuck : bool
        Whether the last two processes were killed before they finished a run; the next run may be the cause.
    """

    path: Path
    connection: sqlite3.Connection
    common: dict[str, str]
    is_stuck: bool

    def finished(self, tasks: Iterable[Task]) -> dict[RunKey, RunRecord]:
        """Return the records of the tasks whose runs are in the file.

        Raises
        ------
        StoreError
            If a run in the file has the same key and other values, another seed or another split.
        """
        wanted = {task.key: task for task in tasks}
        found = {}
        for key, columns in _read_runs(self.path, self.connection):
            if key not in wanted:
                continue
            if columns["made_of"] != identify_run(wanted[key]):
                reason = f"its values, seed or split differ ({columns['made_of']:.300})"
                raise StoreError(f"{self.path} has another run of {wanted[key].candidate}: {reason}")
            found[key] = RunRecord.from_columns(key, columns)
        return found

    def finish(self, task: Task, record: RunRecord) -> None:
        """Commit a finished run, unless another process has committed it meanwhile."""
        row = task.key._asdict() | self.common | {"made_of": identify_run(task)} | record.to_columns()
        names, places = ", ".join(row), ", ".join("?" * len(row))
        statement = f"INSERT OR IGNORE INTO runs ({names}) VALUES ({places})"
        _execute(self.path, self.connection, statement, tuple(row.values()))

    def describe(self, settings: dict[str, Any], candidates: Sequence[Candidate]) -> None:
        """Replace the description of the comparison: its settings and its candidates in their order."""
        names = [(candidate.label, candidate.setting) for candidate in candidates]
        values = (json.dumps(settings), json.dumps(names))
        _execute(self.path, self.connection, "INSERT OR REPLACE INTO comparison VALUES (0, ?, ?)", values)


@contextmanager
def open_store(path: str | Path, identity: dict[str, str]) -> Iterator[Store]:
    """Open a store, or create one if the file is missing; a file that is not a store stays unchanged.

    `identity` is what all runs share (`identify`).

    Raises
    ------
    StoreError
        If the file is not a store, is damaged, cannot be used, or has another experiment.
    """
    path = Path(path).expanduser()
    if not path.exists():
        _create(path, identity)
    with _connected(path) as connection:
        there = {str(name): str(value) for name, value in _execute(path, connection, "SELECT * FROM experiment")}
        different = differences(there, identity)
        if different:
            raise StoreError(f"{path} has another experiment: {'; '.join(different)}")
        killed = "SELECT count(*) FROM open_sessions WHERE finished = (SELECT count(*) FROM runs)"
        [(n_killed,)] = _execute(path, connection, killed)
        begin = "INSERT INTO open_sessions (finished) SELECT count(*) FROM runs RETURNING id"
        [session] = _execute(path, connection, begin)
        # Only every second time, as a kill with another cause may come before the run gets its own process.
        is_stuck = n_killed > 0 and n_killed % _MAX_KILLED == 0
        try:
            yield Store(path, connection, data_and_versions(identity), is_stuck)
        finally:
            _execute(path, connection, "DELETE FROM open_sessions WHERE id = ?", session)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store; raise StoreError for a file that is no store or is damaged."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise StoreError(f"{path} is not a store of runs, and stays unchanged")
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror})") from error
    with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as connection:
        [(application,)] = _execute(path, connection, "PRAGMA application_id")
        [(version,)] = _execute(path, connection, "PRAGMA user_version")
        if application != _APPLICATION:
            raise StoreError(f"{path} is another program's database, and stays unchanged")
        if version != _FORMAT:
            raise StoreError(f"{path} is a store of format {version} (allowed: {_FORMAT})")
        damage = _execute(path, connection, "PRAGMA quick_check(1)")
        if damage != [("ok",)]:
            raise StoreError(f"{path} is damaged ({' '.join(str(damage[0][0]).split())}), and stays unchanged")
        yield connection


def _execute(
    path: Path, connection: sqlite3.Connection, statement: str, values: tuple[object, ...] = ()
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement."""
    try:
        return connection.execute(statement, values).fetchall()
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is damaged, or cannot be used: {error}") from error


def _read_runs(path: Path, connection: sqlite3.Connection) -> Iterator[tuple[RunKey, dict[str, Any]]]:
    """Yield the key and columns of every run."""
    names = [name for _, name, *_ in _execute(path, connection, "PRAGMA table_info(runs)")]
    for row in _execute(path, connection, "SELECT * FROM runs"):
        columns: dict[str, Any] = {n: nan if value is None else value for n, value in zip(names, row, strict=True)}
        yield RunKey(*(columns[name] for name in RunKey._fields)), columns


def _create(path: Path, identity: dict[str, str]) -> None:
    """Create the file under a draft name first, so that no process reads an incomplete file."""
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(draft)) as connection, connection:
            connection.executescript(_SCHEMA)
            connection.executemany("INSERT INTO experiment VALUES (?, ?)", identity.items())
        _publish(draft, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be written ({getattr(error, 'strerror', None) or error})") from error
    finally:
        with suppress(OSError):
            draft.unlink()


def _publish(draft: Path, path: Path) -> None:
    """Rename the draft, unless another process has created the file."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:
        # The file system has no links.
        if not path.exists():
            draft.rename(path)


def tables_of_store(path: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables and settings of the last comparison with this file.

    Raises
    ------
    StoreError
        If the file is not a store, is damaged, or has no finished run.
    """
    with _connected(path) as connection:
        described = _execute(path, connection, "SELECT settings, candidates FROM comparison")
        if not described:
            raise StoreError(f"{path} has no comparison yet: the call ended before the first run")
        settings, names = (json.loads(text) for text in described[0])
        candidates = [Candidate(label, {}, setting) for label, setting in names]
        keys = {candidate.key for candidate in candidates}
        records = [
            RunRecord.from_columns(key, columns)
            for key, columns in _read_runs(path, connection)
            if key.candidate in keys and key.repeat < settings["n_repeats"]
        ]
    if not records:
        raise StoreError(f"{path} has no finished run yet")
    return make_frames(records, candidates), settings
