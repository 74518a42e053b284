"""The SQLite file of a store: how it is made, what it must have, and how it is opened and read."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from initsk.exceptions import StoreError
from initsk.utils.files import open_regular

# "init" as a number, for SQLite's field that names the program of a file.
_APPLICATION = 0x696E6974
_FORMAT = 5
_MAGIC = b"SQLite format 3\x00"
_PAGE = 4096
# Where the header has the two versions of the format; 2 means a write-ahead log: a commit takes one write to the disk,
# and readers do not wait. A database in memory has no log, so its bytes are changed.
_VERSIONS = slice(18, 20)
_WITH_LOG = b"\x02\x02"
_N_PAGES = slice(28, 32)
# Every digest is that of the other columns of its row; the id has no meaning.
_SCHEMA = f"""
PRAGMA page_size = {_PAGE};
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORMAT};
CREATE TABLE experiment (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value TEXT NOT NULL, digest TEXT NOT NULL);
-- The same as one text in JSON, so that damage to one of the two tables can be repaired.
CREATE TABLE experiment_copy (id INTEGER PRIMARY KEY, content TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    initializer TEXT NOT NULL, setting TEXT NOT NULL, repeat INTEGER NOT NULL, fold INTEGER NOT NULL,
    made_of TEXT NOT NULL, data TEXT NOT NULL, versions TEXT NOT NULL,
    seed INTEGER NOT NULL, split INTEGER NOT NULL, val_ratio REAL, status TEXT NOT NULL, reason TEXT NOT NULL,
    no_layers TEXT NOT NULL, scores TEXT NOT NULL, baseline TEXT NOT NULL,
    history TEXT NOT NULL, statistics TEXT NOT NULL, histograms TEXT NOT NULL,
    seconds REAL, fit_seconds REAL, seconds_per_epoch REAL, digest TEXT NOT NULL,
    UNIQUE (initializer, setting, repeat, fold)
);
-- The numbers of rows in the tables experiment and runs, so that a row that is lost is noticed.
CREATE TABLE totals (
    id INTEGER PRIMARY KEY, parts INTEGER NOT NULL, runs INTEGER NOT NULL, digest TEXT NOT NULL
);
-- What the last call with this file compares, for a report.
CREATE TABLE comparison (
    id INTEGER PRIMARY KEY, settings TEXT NOT NULL, candidates TEXT NOT NULL, digest TEXT NOT NULL
);
-- A row for every process that opened the file and did not close it, with the number of runs at the start.
CREATE TABLE open_sessions (id INTEGER PRIMARY KEY, finished INTEGER NOT NULL);
"""
_WAIT_S = 60.0
# SQLite counts the steps of its work. Reading a store takes much less than one step for each byte.
_STEPS, _EVERY = 50_000_000, 100_000
_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space, and repeat the call, which keeps the finished runs",
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_BUSY: f"another process has locked it for more than {_WAIT_S:.0f} s",
    sqlite3.SQLITE_INTERRUPT: "reading it takes more work than its size explains",
}
#: Reads text that is damaged as well; its digest shows the damage, and the message names the row.
READABLE = partial(str, encoding="utf-8", errors="replace")
#: What SQLite raises; the text of an error may be damaged itself.
FAULTS = (sqlite3.Error, UnicodeDecodeError)
#: What a message says of a store that is damaged.
REPAIR = "initsk.comparison.recover_store(path, new_path) takes over the runs that are not damaged"


def new_file(fill: Callable[[sqlite3.Connection], None]) -> bytes:
    """Return the content of a new store, with the rows that `fill` inserts."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_SCHEMA)
        with connection:
            fill(connection)
        content = bytearray(connection.serialize())
    content[_VERSIONS] = _WITH_LOG
    return bytes(content)


@cache
def _schema() -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_SCHEMA)
        return _schema_of(connection.execute)


def has_schema(execute: Callable[[str], Any]) -> bool:
    """Return whether a database has exactly the tables of a store."""
    return _schema_of(execute) == _schema()


def _schema_of(execute: Callable[[str], Any]) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")))


class Database:
    """An open store.

    Parameters
    ----------
    path : Path
        The file.
    connection : sqlite3 Connection
        Commits every statement at once, unless a transaction has begun.
    is_writable : bool
        Whether the file and its folder can be written.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, is_writable: bool) -> None:
        self.path, self.connection, self.is_writable = path, connection, is_writable
        self._most = _STEPS + 2 * path.stat().st_size
        self._steps = 0
        connection.text_factory = READABLE
        connection.set_progress_handler(self._is_too_much, _EVERY)

    def _is_too_much(self) -> bool:
        self._steps += _EVERY
        return self._steps > self._most

    def rows(self, statement: str, values: tuple[object, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement.

        Raises
        ------
        StoreError
            If the file is damaged or cannot be used; the message has the cause.
        """
        self._steps = 0
        try:
            yield from self.connection.execute(statement, values)
        except FAULTS as error:
            raise self.error_of(error) from error

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement as a list."""
        return list(self.rows(statement, values))

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """Commit the statements of the block together, or none of them; "DEFERRED" is for reading."""
        self.execute(f"BEGIN {kind}")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.rollback()
            raise

    def error_of(self, error: Exception) -> StoreError:
        """Return the error in this package's words."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _CAUSES:
            return StoreError(f"{self.path} cannot be used: {_CAUSES[code]}")
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM):
            return StoreError(f"{self.path} cannot be used: {error}")
        return self.damage(" ".join(str(error).split()))

    def damage(self, what: str) -> StoreError:
        """Return the error for a file that is damaged, or was changed by another program."""
        return StoreError(f"{self.path} is damaged ({what}), and stays unchanged; {REPAIR}")


@contextmanager
def open_database(path: Path) -> Iterator[Database]:
    """Open a store, and check that it has exactly the tables of a store and is not damaged.

    A file that cannot be written is only read.

    Raises
    ------
    StoreError
        If the file is not a store, is damaged, or cannot be used.
    """
    _check_kind(path)
    is_writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    with closing(_connect(path, is_writable)) as connection:
        database = Database(path, connection, is_writable)
        # Functions and tables that a schema names are not run; the schema is checked before anything else is read.
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", f"query_only = {int(not is_writable)}"):
            database.execute(f"PRAGMA {setting}")
        [(application,)] = database.execute("PRAGMA application_id")
        [(version,)] = database.execute("PRAGMA user_version")
        if application != _APPLICATION:
            raise StoreError(f"{path} is another program's database, and stays unchanged")
        if version != _FORMAT:
            raise StoreError(f"{path} is a store of format {version} (allowed: {_FORMAT})")
        if not has_schema(database.execute):
            raise database.damage("its tables are not those of a store")
        found = database.execute("PRAGMA integrity_check(1)")
        if found != [("ok",)]:
            raise database.damage(" ".join(str(found[0][0]).split()))
        yield database


def _check_kind(path: Path) -> None:
    """Raise StoreError for what is no file of SQLite."""
    with open_regular(path, StoreError) as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise StoreError(f"{path} is not a store of runs, and stays unchanged")


def _connect(path: Path, is_writable: bool) -> sqlite3.Connection:
    if is_writable:
        mode = "rw"
    else:
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise StoreError(
                f"{path} has runs that are only in {log.name}, and cannot be written: copy both files to another folder"
            )
        # SQLite would create files for its log beside a database that may change.
        mode = "ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_WAIT_S, isolation_level=None)


def restored_start(content: bytes) -> bytes:
    """Return the content of a damaged store with the first page of a new one, which has only the schema."""
    start = bytearray(new_file(lambda connection: None)[:_PAGE])
    start[_N_PAGES] = (len(content) // _PAGE).to_bytes(4, "big")
    return bytes(start) + content[_PAGE:]
