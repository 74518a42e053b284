"""Tables in files and back, exactly: CSV or Parquet, and their types as JSON beside them; no pickle."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from initsk.comparison._frames import TABLES
from initsk.exceptions import DataFormatError
from initsk.utils._files import write_atomic

FORMATS = ("csv", "parquet")
_ABOUT = "comparison.json"
_VERSION = 1
# How a formula begins in a spreadsheet, behind as many apostrophes as you like.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write_tables(frames: dict[str, pd.DataFrame], folder: Path, kind: str = "csv") -> list[Path]:
    """Write each table into a file of its name; numbers are written so that they come back exactly.

    Where a comparison was saved in the other format, its tables go.
    """
    for name in TABLES if (folder / _ABOUT).exists() else ():
        for other in FORMATS:
            if other != kind:
                (folder / f"{name}.{other}").unlink(missing_ok=True)
    if kind == "csv":
        safe = {name: without_formulas(frames[name]) for name in TABLES}
        return [write_atomic(folder / f"{name}.csv", safe[name].to_csv(index=False)) for name in TABLES]
    return [write_atomic(folder / f"{name}.parquet", frames[name].to_parquet(index=False)) for name in TABLES]


def write_about(frames: dict[str, pd.DataFrame], settings: dict[str, Any], folder: Path, kind: str) -> Path:
    """Write what the tables do not say: their types, and what was run."""
    types = {name: {str(c): _type_of(dtype) for c, dtype in frames[name].dtypes.items()} for name in TABLES}
    about = {"version": _VERSION, "format": kind, "settings": settings, "types": types}
    return write_atomic(folder / _ABOUT, json.dumps(about, indent=1) + "\n")


def read_tables(folder: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Read what `write_tables` and `write_about` wrote.

    Raises
    ------
    DataFormatError
        If the folder does not hold it, or not whole.
    """
    try:
        about = json.loads((folder / _ABOUT).read_text())
        kind, types = about["format"], about["types"]
        if about["version"] != _VERSION or kind not in FORMATS:
            raise DataFormatError(f"{folder} is of format {about['version']} (allowed: {_VERSION})")
        return {name: _read(folder / f"{name}.{kind}", types[name]) for name in TABLES}, about["settings"]
    except FileNotFoundError as error:
        raise DataFormatError(
            f"{folder} holds no saved comparison: {Path(error.filename).name} is not there"
        ) from error
    except (KeyError, TypeError, ValueError, OSError) as error:
        if isinstance(error, DataFormatError):
            raise
        raise DataFormatError(f"{folder} holds no whole comparison ({type(error).__name__}: {error})") from error


def _read(path: Path, types: dict[str, Any]) -> pd.DataFrame:
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    else:
        # Words stay words, as an initializer may be called "nan"; numbers are read from words, which is exact.
        plain = {name: "int64" if kind == "int64" else "str" for name, kind in types.items()}
        gaps = {name: [""] for name, kind in types.items() if kind == "float64"}
        frame = _with_formulas(pd.read_csv(path, dtype=plain, keep_default_na=False, na_values=gaps))
    if list(frame.columns) != list(types):
        raise DataFormatError(f"{path} has the columns {list(frame.columns)} and not {list(types)}")
    return frame.astype({name: _dtype(kind) for name, kind in types.items() if kind != "bool"}).assign(
        **{name: frame[name].astype(str) == "True" for name, kind in types.items() if kind == "bool"}
    )


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which no text is a formula to a spreadsheet: such text gets an apostrophe in front.

    Examples
    --------
    >>> without_formulas(pd.DataFrame({"name": ["=1+1", "he_normal", "-1"]}))["name"].tolist()
    ["'=1+1", 'he_normal', '-1']
    """
    return _replaced(frame, lambda text: f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text)


def _with_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Undo `without_formulas`."""
    return _replaced(frame, lambda text: text[1:] if text.startswith("'") and _FORMULA.match(text) else text)


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


def _type_of(dtype: Any) -> Any:
    if isinstance(dtype, pd.CategoricalDtype):
        return {"categories": dtype.categories.tolist()}
    return "str" if pd.api.types.is_string_dtype(dtype) else str(dtype)


def _dtype(kind: Any) -> Any:
    return pd.CategoricalDtype(kind["categories"]) if isinstance(kind, dict) else kind
