"""Rows of a store with their digests: how values become columns, and how damage is found."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from math import isnan, nan
from typing import Any

from initsk.comparison.design._runs import RunKey
from initsk.comparison.results._records import RunRecord
from initsk.comparison.storage._database import Database

Columns = Mapping[str, Any]


def digest(table: str, columns: Columns) -> str:
    """Return the digest of a row: of its table, and the names, types and values of its columns.

    Examples
    --------
    >>> digest("runs", {"seed": 1}) == digest("runs", {"seed": 1.0})
    False
    """
    state = hashlib.blake2b(table.encode(), digest_size=16)
    for name, value in sorted(columns.items()):
        data = value if isinstance(value, bytes) else str(value).encode()
        state.update(f"|{name} {type(value).__name__} {len(data)}|".encode())
        state.update(data)
    return state.hexdigest()


def insert(execute: Any, table: str, columns: Columns, *, known: str = "ABORT") -> Any:
    """Insert a row with its digest; `known` says what happens if there is one with the same key."""
    row = {name: _stored(value) for name, value in columns.items()}
    row["digest"] = digest(table, {name: value for name, value in row.items() if name != "id"})
    names, places = ", ".join(row), ", ".join("?" * len(row))
    return execute(f"INSERT OR {known} INTO {table} ({names}) VALUES ({places})", tuple(row.values()))


def read(database: Database, table: str) -> Iterator[dict[str, Any]]:
    """Yield the columns of every row.

    Raises
    ------
    StoreError
        If a row is damaged; the message names it.
    """
    names = columns_of(database, table)
    for row in database.rows(f"SELECT * FROM {table} ORDER BY id"):
        stored = dict(zip(names, row, strict=True))
        if not is_whole(table, stored):
            raise database.damage(f"the digest of {name_of(table, stored)} is not that of its content")
        yield loaded(stored)


def columns_of(database: Database, table: str) -> list[str]:
    """Return the names of a table's columns."""
    return [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]


def is_whole(table: str, stored: Columns) -> bool:
    """Return whether a row has the digest that was written with it."""
    content = {name: value for name, value in stored.items() if name not in ("id", "digest")}
    return stored["digest"] == digest(table, content)


def name_of(table: str, stored: Columns) -> str:
    """Return the name of a row for a message."""
    if table == "runs":
        initializer, setting, repeat, fold = (stored[name] for name in RunKey._fields)
        setting = "" if setting in ("", "{}") else f" at {setting!s:.80}"
        return f"the run of {initializer!s:.80}{setting}, repeat {repeat!s:.20}, fold {fold!s:.20}"
    return f"{stored['name']!s:.80} in {table}" if "name" in stored else f"the row of {table}"


def loaded(stored: Columns) -> dict[str, Any]:
    """Return the values of a row as they were given to `insert`."""
    return {name: _loaded(value) for name, value in stored.items() if name not in ("id", "digest")}


def key_of(columns: Columns) -> RunKey:
    """Return the key of a run."""
    return RunKey(*(columns[name] for name in RunKey._fields))


def record_of(database: Database, columns: Columns) -> RunRecord:
    """Return the record of a run.

    Raises
    ------
    StoreError
        If the fields do not have the form that this version writes.
    """
    try:
        return RunRecord.from_columns(key_of(columns), columns)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = f"{name_of('runs', columns)} has another form: {type(error).__name__}"
        raise database.damage(reason) from error


def from_json(database: Database, text: str) -> Any:
    """Return the value of a text in JSON."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise database.damage(f"a text is not JSON: {error}") from error


def _stored(value: Any) -> Any:
    """Return a value as SQLite gives it back: of a plain type, without NaN, and lone surrogates as bytes."""
    if isinstance(value, float):
        return None if isnan(value) else float(value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
        return str(value)
    return value


def _loaded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogatepass")
    return nan if value is None else value
