"""The tables of a comparison: together, in files and back, and beside those of others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd

from initsk.comparison._files import FORMATS, read_tables, write_about, write_tables
from initsk.comparison._frames import TABLES, grid_columns
from initsk.exceptions import InvalidParameterError
from initsk.utils._validation import check_parameters, one_of


class Tables:
    """What `ComparisonResult` has in common with any such tables and a dict of settings."""

    def __init__(self, frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any] | None = None) -> None:
        self.runs = frames["runs"]
        self.history = frames["history"]
        self.layers = frames["layers"]
        self.gradients = frames["gradients"]
        self.weights = frames["weights"]
        self.histograms = frames["histograms"]
        self.timing = frames["timing"]
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
            Made if it is not there.

        Returns
        -------
        list of Path
        """
        return write_tables(self.frames, Path(folder))

    def save(self, folder: str | Path, *, format: str = "csv") -> Path:
        """Write everything, so that `load` restores it to the last bit; no pickle.

        Parameters
        ----------
        folder : str or Path
            Made if it is not there.
        format : {"csv", "parquet"}, default="csv"
            Of the tables; types and settings go into ``comparison.json``. Parquet needs pyarrow.

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
        write_about(self.frames, self.settings, Path(folder), format)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote.

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
            If the folder holds no saved comparison, or not whole.
        """
        return cls(*read_tables(Path(folder)))

    @classmethod
    def concat(cls, results: Mapping[str, Self]) -> Self:
        """Put the frames of several experiments together, with a column ``experiment`` first.

        Parameters
        ----------
        results : dict of str to ComparisonResult
            By the names of the experiments.

        Returns
        -------
        ComparisonResult
            Its `summary` and `pairwise` look at each experiment by itself.

        Raises
        ------
        InvalidParameterError
            If there is none.
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
            parts = [_named(key, result.frames[name], list(results), labels) for key, result in results.items()]
            frame = pd.concat(parts, ignore_index=True)
            frames[name] = frame[[*first, *(column for column in frame.columns if column not in first)]]
        return cls(frames, {key: result.settings for key, result in results.items()})

    def parts(self) -> dict[str, Self]:
        """Return the experiments of `concat` again, each by its name.

        Returns
        -------
        dict of str to ComparisonResult
            Without the column ``experiment``, and without parameters of a grid that were varied in others alone.

        Raises
        ------
        InvalidParameterError
            If it is one comparison.
        """
        if "experiment" not in self.runs:
            raise InvalidParameterError("this is the result of one comparison; parts are those of concat")
        return {name: self._part(name) for name in self.runs["experiment"].cat.categories}

    def _part(self, name: str) -> Self:
        frames = {key: frame[frame["experiment"] == name] for key, frame in self.frames.items()}
        elsewhere = [column for column in grid_columns(frames["runs"]) if frames["runs"][column].isna().all()]
        frames = {key: f.drop(columns=["experiment", *elsewhere]).reset_index(drop=True) for key, f in frames.items()}
        labels = [label for label in self.initializers if (frames["runs"]["initializer"] == label).any()]
        for frame in frames.values():
            frame["initializer"] = frame["initializer"].cat.set_categories(labels)
        return type(self)(frames, self.settings[name])


def _named(name: str, frame: pd.DataFrame, names: list[str], labels: list[str]) -> pd.DataFrame:
    frame = frame.assign(initializer=frame["initializer"].cat.set_categories(labels))
    return with_experiment(frame, name, names)


def with_experiment(frame: pd.DataFrame, name: str, names: list[str]) -> pd.DataFrame:
    """Put a column ``experiment`` with the same name in all rows before the others, in place."""
    frame.insert(0, "experiment", pd.Series(pd.Categorical([name] * len(frame), categories=names), frame.index))
    return frame
