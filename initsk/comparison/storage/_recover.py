"""Taking over the undamaged runs of a damaged store."""

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from initsk.comparison.storage._database import FAULTS, READABLE, has_schema, restored_start
from initsk.comparison.storage._rows import Columns, is_whole, loaded, name_of
from initsk.comparison.storage._store import write_store
from initsk.exceptions import StoreError
from initsk.utils.files import as_path, open_regular
from initsk.utils.words import reason_of

# A row of runs takes more bytes than this, most of them for its texts.
_LEAST_BYTES = 200
_MOST_PARTS = 1000


def recover_store(path: str | Path, new_path: str | Path) -> pd.DataFrame:
    """Write the undamaged runs of a damaged store into a new one.

    A run is undamaged if its digest is that of its content. The same call of `compare_initializers`, with the new
    store, runs only what is missing. The damaged file stays unchanged.

    Parameters
    ----------
    path : str or Path
        The damaged store.
    new_path : str or Path
        The file to create.

    Returns
    -------
    DataFrame
        A row for each run that was found: ``record`` (its initializer, setting, repeat and fold, or its number if these
        cannot be read), ``kept``, and ``reason`` (why it was not taken over; empty if it was).

    Raises
    ------
    StoreError
        If the file cannot be read, what all runs share is damaged in both of its two places, or the new file exists or
        cannot be written.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from initsk import MLPClassifier, compare_initializers
    >>> from initsk.comparison import recover_store
    >>> folder = getfixture("tmp_path")
    >>> _ = compare_initializers(MLPClassifier((4,), max_epochs=1), *load_iris(return_X_y=True), n_repeats=1,
    ...                          initializers=["zeros", "he_normal"], store=folder / "runs.sqlite")
    >>> recover_store(folder / "runs.sqlite", folder / "new.sqlite")["kept"].tolist()
    [True, True]
    """
    path, new_path = as_path(path, error_class=StoreError), as_path(new_path, "new_path", StoreError)
    if new_path.exists():
        raise StoreError(f"{new_path} exists already, and stays unchanged; give the name of a new file")
    try:
        identity, found, described = _read(path)
    except FAULTS as error:
        raise StoreError(f"{path} has no run that can be taken over ({reason_of(error)})") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be copied to a temporary folder ({error.strerror})") from error
    whole: dict[str, dict[str, Any]] = {}
    for _, row, reason in found:
        if not reason:
            # Only damage makes two rows of one run.
            whole.setdefault(name_of("runs", row), loaded(row))
    write_store(new_path, identity, list(whole.values()), described)
    return pd.DataFrame(
        {
            "record": [_record(number, row) for number, row, _ in found],
            "kept": [not reason for *_, reason in found],
            "reason": [reason for *_, reason in found],
        }
    )


def _read(path: Path) -> tuple[dict[str, str], list[tuple[int, Columns, str]], list[dict[str, Any]]]:
    """Return what all runs share, what `_rows` yields of the runs, and the undamaged description of the comparison."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite"
        _copy(path, copy)
        with closing(sqlite3.connect(copy)) as connection:
            connection.text_factory = READABLE
            totals = [row for _, row, reason in _rows(connection, "totals", 0) if not reason]
            most = int(totals[0]["runs"]) if totals else copy.stat().st_size // _LEAST_BYTES
            described = [loaded(row) for _, row, reason in _rows(connection, "comparison", 0) if not reason]
            return _identity(path, connection, totals), list(_rows(connection, "runs", most)), described


def _copy(path: Path, copy: Path) -> None:
    """Copy a store, and write what its log has to the copy; if its schema is damaged, take that of a new store."""
    with open_regular(path, StoreError) as file:
        copy.write_bytes(file.read())
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        with open_regular(log, StoreError) as file:
            copy.with_name(f"{copy.name}-wal").write_bytes(file.read())
    with suppress(*FAULTS), closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    for end in ("-wal", "-shm"):
        copy.with_name(f"{copy.name}{end}").unlink(missing_ok=True)
    if not _has_schema(copy):
        copy.write_bytes(restored_start(copy.read_bytes()))


def _has_schema(copy: Path) -> bool:
    try:
        with closing(sqlite3.connect(copy)) as connection:
            return has_schema(connection.execute)
    except FAULTS:
        return False


def _identity(path: Path, connection: sqlite3.Connection, totals: list[Columns]) -> dict[str, str]:
    for _, row, reason in _rows(connection, "experiment_copy", 0):
        if not reason:
            return dict(json.loads(row["content"]))
    parts = list(_rows(connection, "experiment", _MOST_PARTS))
    if not totals or len(parts) != totals[0]["parts"] or any(reason for *_, reason in parts):
        raise StoreError(f"{path} is damaged where it describes its experiment: no run can be taken over")
    return {row["name"]: row["value"] for _, row, _ in parts}


def _rows(connection: sqlite3.Connection, table: str, most: int) -> Iterator[tuple[int, Columns, str]]:
    """Yield the number, the columns and the damage of each row; no columns if they cannot be read.

    The numbers are 0 to `most`, which a store gives its rows, and those that the table shows.

    Each row is looked up by its number, so that damage elsewhere in the file does not hide it.
    """
    names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    numbers = dict.fromkeys(range(most + 1))
    with suppress(*FAULTS):
        for (number,) in connection.execute(f"SELECT id FROM {table}"):
            numbers[number] = None
    for number in numbers:
        try:
            row = connection.execute(f"SELECT * FROM {table} NOT INDEXED WHERE id = ?", (number,)).fetchone()
        except FAULTS as error:
            yield number, {}, " ".join(str(error).split())
            continue
        if row is not None:
            columns = dict(zip(names, row, strict=True))
            yield number, columns, "" if is_whole(table, columns) else "its digest is not that of its content"


def _record(number: int, row: Columns) -> str:
    return name_of("runs", row) if row else f"run {number}"
