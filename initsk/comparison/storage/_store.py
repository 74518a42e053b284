"""Finished runs in an SQLite file, committed one by one."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from math import nan
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import pandas as pd

from initsk.comparison.design._candidates import Candidate
from initsk.comparison.design._runs import RunKey, Task
from initsk.comparison.results._records import RunRecord, make_frames
from initsk.comparison.storage._identity import differences, identify_run, in_every_row
from initsk.exceptions import StoreError

# "init" as a number: SQLite's field for whose file it is.
_APPLICATION = 0x696E6974
_FORMAT = 2
_MAGIC = b"SQLite format 3\x00"
# A write-ahead log: a commit is on the disk after one write, and readers need not wait.
_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORMAT};
CREATE TABLE experiment (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    initializer TEXT NOT NULL, setting TEXT NOT NULL, repeat INTEGER NOT NULL, fold INTEGER NOT NULL,
    made_of TEXT NOT NULL, data TEXT NOT NULL, versions TEXT NOT NULL,
    seed INTEGER NOT NULL, split INTEGER NOT NULL, val_ratio REAL, status TEXT NOT NULL, reason TEXT NOT NULL,
    scores TEXT NOT NULL, history TEXT NOT NULL, measured TEXT NOT NULL, histograms TEXT NOT NULL,
    seconds REAL, fit_seconds REAL, seconds_per_epoch REAL,
    PRIMARY KEY (initializer, setting, repeat, fold)
) WITHOUT ROWID;
-- What the last call with this file compared, for who makes a report of it.
CREATE TABLE comparison (id INTEGER PRIMARY KEY CHECK (id = 0), settings TEXT NOT NULL, candidates TEXT NOT NULL);
-- A row for every process that opened the file and did not close it: how many runs there were.
CREATE TABLE lives (id INTEGER PRIMARY KEY, finished INTEGER NOT NULL);
"""
# So many deaths in a row without a finished run between them are no accident.
_SUSPICIOUS = 2
_WAIT_S = 60.0


class Store:
    """The runs of one experiment in a file that survives the process at any moment.

    Parameters
    ----------
    path : str or Path
        Made if it is not there; a file that is not a store is refused and left as it is.
    identity : dict of str to str
        What the runs have in common (`identify`); a file of another experiment is refused.

    Attributes
    ----------
    is_stuck : bool
        Whether the last two processes were killed before they had finished a single run: the next one
        may have killed them.

    Raises
    ------
    StoreError
        If the file is no store, is damaged, cannot be used, or holds another experiment.
    """

    def __init__(self, path: str | Path, identity: dict[str, str]) -> None:
        self.path = Path(path).expanduser()
        self._common = in_every_row(identity)
        if not self.path.exists():
            _create(self.path, identity)
        self._connection = connect(self.path)
        try:
            check_format(self.path, self._connection)
            self._check(identity)
            deaths = "SELECT count(*) FROM lives WHERE finished = (SELECT count(*) FROM runs)"
            [(deaths_here,)] = self._execute(deaths)
            [(self._life,)] = self._execute("INSERT INTO lives (finished) SELECT count(*) FROM runs RETURNING id")
        except BaseException:
            self._connection.close()
            raise
        # Every second time: deaths of another cause may come sooner than a process of its own has started.
        self.is_stuck = deaths_here > 0 and deaths_here % _SUSPICIOUS == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._execute("DELETE FROM lives WHERE id = ?", (self._life,))
        self._connection.close()

    def finished(self, tasks: Iterable[Task]) -> dict[RunKey, RunRecord]:
        """Return the records of those runs that are in the file.

        Raises
        ------
        StoreError
            If a run there was made of something else under the same name.
        """
        wanted = {task.key: task for task in tasks}
        found = {}
        for key, columns in rows_of_runs(self.path, self._connection):
            if key not in wanted:
                continue
            if columns["made_of"] != identify_run(wanted[key]):
                raise StoreError(
                    f"{self.path} holds a run of {wanted[key].candidate} that is another one here: its values, "
                    f"seed or split differ ({columns['made_of']:.300})"
                )
            found[key] = RunRecord.from_columns(key, columns)
        return found

    def finish(self, task: Task, record: RunRecord) -> None:
        """Commit a finished run; one that another process has committed meanwhile stays."""
        key = dict(zip(("initializer", "setting", "repeat", "fold"), task.key, strict=True))
        row = key | self._common | {"made_of": identify_run(task)} | record.to_columns()
        names, places = ", ".join(row), ", ".join("?" * len(row))
        self._execute(f"INSERT OR IGNORE INTO runs ({names}) VALUES ({places})", tuple(row.values()))

    def describe(self, settings: dict[str, Any], candidates: Sequence[Candidate]) -> None:
        """Note what is compared, and in which order, in place of what was noted before."""
        names = [(candidate.label, candidate.setting) for candidate in candidates]
        statement = "INSERT OR REPLACE INTO comparison VALUES (0, ?, ?)"
        self._execute(statement, (json.dumps(settings), json.dumps(names)))

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return execute(self.path, self._connection, statement, values)

    def _check(self, identity: dict[str, str]) -> None:
        there = {str(name): str(value) for name, value in self._execute("SELECT name, value FROM experiment")}
        different = differences(there, identity)
        if different:
            raise StoreError(f"{self.path} holds another experiment: {'; '.join(different)}")


def connect(path: Path) -> sqlite3.Connection:
    """Open a file that is a database; every statement commits at once."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise StoreError(f"{path} is not a store of runs, and is left as it is")
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror})") from error
    return sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)


def check_format(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a database that is no store, or damaged."""
    [(application,)] = execute(path, connection, "PRAGMA application_id")
    [(version,)] = execute(path, connection, "PRAGMA user_version")
    if application != _APPLICATION:
        raise StoreError(f"{path} is a database of something else, and is left as it is")
    if version != _FORMAT:
        raise StoreError(f"{path} is a store of format {version} (allowed: {_FORMAT})")
    damage = execute(path, connection, "PRAGMA quick_check(1)")
    if damage != [("ok",)]:
        raise StoreError(f"{path} is damaged ({' '.join(str(damage[0][0]).split())}), and is left as it is")


def execute(
    path: Path, connection: sqlite3.Connection, statement: str, values: tuple[object, ...] = ()
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement."""
    try:
        return connection.execute(statement, values).fetchall()
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is damaged, or cannot be used: {error}") from error


def rows_of_runs(path: Path, connection: sqlite3.Connection) -> Iterator[tuple[RunKey, dict[str, Any]]]:
    """Yield key and columns of every run."""
    names = [name for _, name, *_ in execute(path, connection, "PRAGMA table_info(runs)")]
    for row in execute(path, connection, "SELECT * FROM runs"):
        columns: dict[str, Any] = {n: nan if value is None else value for n, value in zip(names, row, strict=True)}
        yield (columns["initializer"], columns["setting"], columns["repeat"], columns["fold"]), columns


def _create(path: Path, identity: dict[str, str]) -> None:
    """Make the file whole under another name first, so that nobody ever meets half of it."""
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
    """Give a finished file its name, unless another process was faster."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:
        # A file system without links.
        if not path.exists():
            draft.rename(path)


def tables_of_store(path: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables of what the last call with this file compared, and its settings.

    Raises
    ------
    StoreError
        If the file is no store, is damaged, or holds no finished run.
    """
    with closing(connect(path)) as connection:
        check_format(path, connection)
        noted = execute(path, connection, "SELECT settings, candidates FROM comparison")
        if not noted:
            raise StoreError(f"{path} does not say what is compared: its comparison ended before the first run")
        settings, names = (json.loads(text) for text in noted[0])
        candidates = [Candidate(label, {}, setting) for label, setting in names]
        keys = {candidate.key for candidate in candidates}
        records = [
            RunRecord.from_columns(key, columns)
            for key, columns in rows_of_runs(path, connection)
            if key[:2] in keys and key[2] < settings["n_repeats"]
        ]
    if not records:
        raise StoreError(f"{path} holds no finished run yet")
    return make_frames(records, candidates), settings
