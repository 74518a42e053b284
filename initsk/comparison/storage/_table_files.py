"""Tables in CSV or Parquet files; reading gives the same frames exactly, or says which file has changed."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from initsk.comparison.results._records import TABLES
from initsk.exceptions import DataFormatError
from initsk.utils.files import open_regular, write_atomic
from initsk.utils.parquet import frame_of, open_parquet
from initsk.utils.words import counted

FORMATS = ("csv", "parquet")
_ABOUT = "comparison.json"
_VERSION = 3
# The first character of a formula in a spreadsheet, after any number of apostrophes.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write_tables(frames: Mapping[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write each table to a CSV file with its name, numbers with all their digits; return the paths."""
    return [write_atomic(folder / f"{name}.csv", _as_bytes(frames[name], "csv")) for name in TABLES]


def write_comparison(
    frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any], folder: Path, kind: str
) -> list[Path]:
    """Write each table to a file with its name, and a file with the settings, types and digests of all tables.

    The tables of a comparison that was saved in the other format are deleted.
    """
    about = folder / _ABOUT
    contents = {name: _as_bytes(frames[name], kind) for name in TABLES}
    tables = {
        name: {
            "rows": len(frames[name]),
            "digest": _digest(contents[name]),
            "types": {str(column): _type_of(values) for column, values in frames[name].items()},
        }
        for name in TABLES
    }
    content = {"version": _VERSION, "format": kind, "settings": dict(settings), "tables": tables}
    content["digest"] = _digest(json.dumps(content).encode())
    if about.exists():
        [other] = {*FORMATS} - {kind}
        for name in TABLES:
            (folder / f"{name}.{other}").unlink(missing_ok=True)
    written = [write_atomic(folder / f"{name}.{kind}", contents[name]) for name in TABLES]
    return [*written, write_atomic(about, json.dumps(content, indent=1) + "\n")]


def read_comparison(folder: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables and settings that `write_comparison` wrote.

    Raises
    ------
    DataFormatError
        If a file is missing, or is not as it was written.
    """
    about = _read_about(folder)
    try:
        kind, tables = FORMATS[FORMATS.index(about["format"])], about["tables"]
        return {name: _read(folder / f"{name}.{kind}", tables[name]) for name in TABLES}, about["settings"]
    except (KeyError, TypeError, ValueError, ImportError) as error:
        if isinstance(error, DataFormatError):
            raise
        raise DataFormatError(f"{folder} has no complete comparison ({type(error).__name__}: {error})") from error


def _read_about(folder: Path) -> dict[str, Any]:
    path = folder / _ABOUT
    try:
        about = json.loads(_content(path))
        version = about["version"]
        if version == _VERSION:
            digest = about.pop("digest")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, DataFormatError):
            raise
        raise DataFormatError(f"{path} does not describe a comparison ({type(error).__name__}: {error})") from error
    if version != _VERSION:
        raise DataFormatError(f"{path} is of format {version} (allowed: {_VERSION})")
    if digest != _digest(json.dumps(about).encode()):
        raise DataFormatError(f"{path} has changed since it was saved: its digest is not that of its content")
    return dict(about)


def _content(path: Path) -> bytes:
    """Return the content of a file; programs that change line ends do not change a table."""
    if not path.exists():
        raise DataFormatError(f"{path.parent} has no saved comparison: {path.name} is missing")
    with open_regular(path) as file:
        content = file.read()
    return content if path.suffix == ".parquet" else content.replace(b"\r\n", b"\n")


def _read(path: Path, table: Mapping[str, Any]) -> pd.DataFrame:
    content = _content(path)
    if _digest(content) != table["digest"]:
        change = _change(content, table["rows"]) if path.suffix == ".csv" else ""
        raise DataFormatError(f"{path} has changed since it was saved{change}")
    return _from_bytes(content, path.suffix, table["types"])


def _change(content: bytes, n_rows: int) -> str:
    """Return how a table differs from the saved one, as far as its number of rows shows it."""
    try:
        n_found = sum(1 for _ in csv.reader(io.StringIO(content.decode(errors="replace")))) - 1
    except csv.Error:
        return ""
    return "" if n_found == n_rows else f": it has {counted(max(n_found, 0), 'row')} of {n_rows}"


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _as_bytes(frame: pd.DataFrame, kind: str) -> bytes:
    escaped = [name for name, values in frame.items() if _needs_escapes(values)]
    frame = frame.assign(**_replaced(frame[escaped], _escaped))
    frame = frame.rename(columns=lambda name: name if _is_plain(name) else _escaped(name))
    if kind == "parquet":
        return bytes(frame.to_parquet(index=False))
    return without_formulas(frame).to_csv(index=False, lineterminator="\n").encode()


def _from_bytes(content: bytes, suffix: str, types: Mapping[str, Any]) -> pd.DataFrame:
    if suffix == ".parquet":
        frame = frame_of(open_parquet(content))
        frame.columns = list(types)
    else:
        # Text stays text, as an initializer may be called "nan"; floats are converted from text, which is exact.
        plain = {name: "int64" if kind == "int64" else "str" for name, kind in types.items()}
        gaps = {name: [""] for name, kind in types.items() if kind == "float64"}
        frame = pd.read_csv(
            io.BytesIO(content), header=0, names=list(types), dtype=plain, keep_default_na=False, na_values=gaps
        )
        frame = _replaced(frame, _with_formula)
    labels = {name: kind for name, kind in types.items() if isinstance(kind, dict)}
    escaped = [name for name, kind in labels.items() if kind["escaped"]]
    frame = frame.assign(**_replaced(frame[escaped], _unescaped))
    flags = {name: frame[name].astype(str) == "True" for name, kind in types.items() if kind == "bool"}
    texts = {
        name: pd.CategoricalDtype(kind["categories"]) if "categories" in kind else "str"
        for name, kind in labels.items()
    }
    others = {name: kind for name, kind in types.items() if name not in flags}
    return frame.astype(others | texts).assign(**flags)


def _type_of(values: pd.Series) -> Any:
    """Return the type of a column: for text, whether it is escaped, and the categories if it has some."""
    dtype = values.dtype
    if dtype.kind in "biuf":
        return str(dtype)
    escaped = {"escaped": _needs_escapes(values)}
    return {"categories": dtype.categories.tolist(), **escaped} if isinstance(dtype, pd.CategoricalDtype) else escaped


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with an apostrophe before every text that a spreadsheet would take for a formula.

    Examples
    --------
    >>> without_formulas(pd.DataFrame({"name": ["=1+1", "he_normal", "-1"]}))["name"].tolist()
    ["'=1+1", 'he_normal', '-1']
    """
    return _replaced(frame, lambda text: f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text)


def _with_formula(text: str) -> str:
    """Undo `without_formulas`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _needs_escapes(values: pd.Series) -> bool:
    """Return whether a text of a column has control characters or others that are not printed."""
    return values.dtype.kind not in "biuf" and not all(_is_plain(str(value)) for value in values.unique())


def _is_plain(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def _escaped(text: str) -> str:
    """Return text as in JSON, with escapes for all that is not printed."""
    inner = json.dumps(text, ensure_ascii=False)[1:-1]
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in inner)


def _unescaped(text: str) -> str:
    """Undo `_escaped`."""
    return str(json.loads(f'"{text}"'))


def _replaced(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    changed = {}
    for name in frame.columns:
        if frame[name].dtype.kind in "biuf":
            continue
        values = {str(value): change(str(value)) for value in frame[name].unique()}
        if any(old != new for old, new in values.items()):
            changed[name] = frame[name].astype(str).map(values)
    return frame.assign(**changed)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
