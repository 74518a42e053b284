"""The tables of a comparison, joined with those of others and divided again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd

from initsk.comparison.results._records import TABLES, grid_columns
from initsk.comparison.storage._table_files import FORMATS, read_comparison, write_comparison, write_tables
from initsk.exceptions import DataFormatError, InvalidParameterError
from initsk.utils.files import as_folder, as_path
from initsk.utils.validation import check_parameters, one_of


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
        return write_tables(self.frames, as_folder(folder))

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
        path = as_folder(folder)
        write_comparison(self.frames, self.settings, path, format)
        return path

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
            If the folder has no saved comparison, or a file is not as `save` wrote it: its digest or the number of its
            rows differs.
        """
        return cls(*read_comparison(as_path(folder, "folder", DataFormatError)))

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
            if not isinstance(name, str):
                raise InvalidParameterError(f"concat: the name {name!r} is not allowed (text)")
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
