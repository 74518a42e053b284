"""Tables in CSV or Parquet files, with their types in a JSON file; reading gives the same frames exactly."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd

from initsk.comparison.results._records import TABLES, grid_columns
from initsk.exceptions import DataFormatError, InvalidParameterError
from initsk.utils.files import write_atomic
from initsk.utils.validation import check_parameters, one_of

FORMATS = ("csv", "parquet")
_ABOUT = "comparison.json"
_VERSION = 1
# The first character of a formula in a spreadsheet, after any number of apostrophes.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write_tables(frames: dict[str, pd.DataFrame], folder: Path, kind: str = "csv") -> list[Path]:
    """Write each table to a file with its name, numbers with all their digits; return the paths.

    The tables of a comparison that was saved in the other format are deleted.
    """
    [other] = {*FORMATS} - {kind}
    for name in TABLES if (folder / _ABOUT).exists() else ():
        (folder / f"{name}.{other}").unlink(missing_ok=True)
    if kind == "csv":
        safe = {name: without_formulas(frames[name]) for name in TABLES}
        return [write_atomic(folder / f"{name}.csv", safe[name].to_csv(index=False)) for name in TABLES]
    return [write_atomic(folder / f"{name}.parquet", frames[name].to_parquet(index=False)) for name in TABLES]


def read_tables(folder: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables and settings that `ComparisonTables.save` wrote.

    Raises
    ------
    DataFormatError
        If the folder has none, or an incomplete one.
    """
    try:
        about = json.loads((folder / _ABOUT).read_text())
        kind, types = about["format"], about["types"]
        if about["version"] != _VERSION or kind not in FORMATS:
            raise DataFormatError(f"{folder} is of format {about['version']} (allowed: {_VERSION})")
        return {name: _read(folder / f"{name}.{kind}", types[name]) for name in TABLES}, about["settings"]
    except FileNotFoundError as error:
        raise DataFormatError(f"{folder} has no saved comparison: {Path(error.filename).name} is missing") from error
    except (KeyError, TypeError, ValueError, OSError) as error:
        if isinstance(error, DataFormatError):
            raise
        raise DataFormatError(f"{folder} has no complete comparison ({type(error).__name__}: {error})") from error


def _read(path: Path, types: dict[str, Any]) -> pd.DataFrame:
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    else:
        # Text stays text, as an initializer may be called "nan"; floats are converted from text, which is exact.
        plain = {name: "int64" if kind == "int64" else "str" for name, kind in types.items()}
        gaps = {name: [""] for name, kind in types.items() if kind == "float64"}
        frame = _with_formulas(pd.read_csv(path, dtype=plain, keep_default_na=False, na_values=gaps))
    if list(frame.columns) != list(types):
        raise DataFormatError(f"{path} has the columns {list(frame.columns)} and not {list(types)}")
    flags = {name: frame[name].astype(str) == "True" for name, kind in types.items() if kind == "bool"}
    others = {name: kind for name, kind in types.items() if name not in flags}
    labels = {name: kind["categories"] for name, kind in others.items() if isinstance(kind, dict)}
    return frame.astype(others | {name: pd.CategoricalDtype(known) for name, known in labels.items()}).assign(**flags)


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with an apostrophe before every text that a spreadsheet would take for a formula.

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


class ComparisonTables:
    """The tables and settings of one or several experiments, and their files."""

    def __init__(self, frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any] | None = None) -> None:
        self.runs, self.history, self.timing = frames["runs"], frames["history"], frames["timing"]
        self.layers, self.gradients, self.weights = frames["layers"], frames["gradients"], frames["weights"]
        self.histograms, self.weight_histograms = frames["histograms"], frames["weight_histograms"]
        self.settings = dict(settings or {})

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        return {name: getattr(self, name) for name in TABLES}

    @property
    def initializers(self) -> list[str]:
        """Labels of the initializers, in the order given."""
        return list(self.runs["initializer"].cat.categories)

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Write the tables as CSV files.

        Parameters
        ----------
        folder : str or Path
            Created if missing.

        Returns
        -------
        list of Path
        """
        return write_tables(self.frames, Path(folder))

    def save(self, folder: str | Path, *, format: str = "csv") -> Path:
        """Write everything to files, without pickle; `load` restores it exactly.

        Parameters
        ----------
        folder : str or Path
            Created if missing.
        format : {"csv", "parquet"}, default="csv"
            Format of the tables; ``comparison.json`` has their types and the settings. Parquet needs pyarrow.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InvalidParameterError
            If the format is unknown.
        """
        check_parameters(type(self).__name__, {"format": format}, {"format": one_of("format", FORMATS)})
        write_tables(self.frames, Path(folder), format)
        types = {name: {str(c): _type_of(t) for c, t in frame.dtypes.items()} for name, frame in self.frames.items()}
        about = {"version": _VERSION, "format": format, "settings": self.settings, "types": types}
        write_atomic(Path(folder) / _ABOUT, json.dumps(about, indent=1) + "\n")
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a result that `save` wrote.

        Parameters
        ----------
        folder : str or Path
            As given to `save`.

        Returns
        -------
        ComparisonResult

        Raises
        ------
        DataFormatError
            If the folder has no saved comparison, or an incomplete one.
        """
        return cls(*read_tables(Path(folder)))

    @classmethod
    def concat(cls, results: Mapping[str, Self]) -> Self:
        """Return a result with the frames of several experiments, with ``experiment`` as the first column.

        Parameters
        ----------
        results : dict of str to ComparisonResult
            Results of the experiments by their names.

        Returns
        -------
        ComparisonResult
            Its `summary` and `pairwise` treat each experiment separately.

        Raises
        ------
        InvalidParameterError
            If `results` is empty, or a value is not the result of one comparison.
        """
        if not isinstance(results, Mapping) or not results:
            raise InvalidParameterError("concat needs a dict of at least one result by its name")
        for name, result in results.items():
            if not isinstance(result, cls) or "experiment" in result.runs:
                raise InvalidParameterError(f"concat: {name!r} is not the result of one comparison")
        labels = list(dict.fromkeys(label for result in results.values() for label in result.initializers))
        grid = list(dict.fromkeys(name for result in results.values() for name in grid_columns(result.runs)))
        first = ["experiment", "initializer", *grid, "repeat", "fold"]
        frames = {}
        for name in TABLES:
            parts = [
                with_experiment(_with_categories(result.frames[name], labels), key, list(results))
                for key, result in results.items()
            ]
            frame = pd.concat(parts, ignore_index=True)
            frames[name] = frame[[*first, *(column for column in frame.columns if column not in first)]]
        return cls(frames, {key: result.settings for key, result in results.items()})

    def parts(self) -> dict[str, Self]:
        """Return the experiments that `concat` joined, by their names.

        Returns
        -------
        dict of str to ComparisonResult
            Without the column ``experiment``, and without parameters that only other experiments vary.

        Raises
        ------
        InvalidParameterError
            If the result is not from `concat`.
        """
        if "experiment" not in self.runs:
            raise InvalidParameterError("this is the result of one comparison; only a result of concat has parts")
        return {name: self._part(name) for name in self.runs["experiment"].cat.categories}

    def _part(self, name: str) -> Self:
        frames = {key: frame[frame["experiment"] == name] for key, frame in self.frames.items()}
        elsewhere = [column for column in grid_columns(frames["runs"]) if frames["runs"][column].isna().all()]
        frames = {key: f.drop(columns=["experiment", *elsewhere]).reset_index(drop=True) for key, f in frames.items()}
        labels = [label for label in self.initializers if (frames["runs"]["initializer"] == label).any()]
        frames = {key: _with_categories(frame, labels) for key, frame in frames.items()}
        return type(self)(frames, self.settings[name])


def _with_categories(frame: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    return frame.assign(initializer=frame["initializer"].cat.set_categories(labels))


def with_experiment(frame: pd.DataFrame, name: str, names: list[str]) -> pd.DataFrame:
    """Insert the first column ``experiment`` with one name in all rows, in place, and return the frame."""
    frame.insert(0, "experiment", pd.Series(pd.Categorical([name] * len(frame), categories=names), frame.index))
    return frame
