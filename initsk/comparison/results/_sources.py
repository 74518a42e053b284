"""Where the tables of a comparison come from: a finished search, a frame of runs, or a store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd

from initsk.comparison.results._runs_frame import tables_of_frame
from initsk.comparison.results._search import tables_of_search
from initsk.comparison.storage._store import tables_of_store
from initsk.comparison.storage._tables import ComparisonTables


class ComparisonSources(ComparisonTables):
    """The tables and settings, made from runs that already exist."""

    @classmethod
    def from_search(cls, search: Any, *, parameter: str | None = None, val_ratio: float | None = None) -> Self:
        """Return a result made from a finished search.

        Parameters
        ----------
        search : GridSearchCV or another of scikit-learn's searches
            A fitted search. Of a successive halving search, only the last iteration is used.
        parameter : str, optional
            Name of the compared parameter; by default the one called ``initializer``, at any depth. The other
            parameters become the grid, except random states: each value of a parameter ``random_state``, at any depth,
            is a repeat.
        val_ratio : float, optional
            Number of validation samples for each training sample, if it does not follow from the search's `cv`.

        Returns
        -------
        ComparisonResult
            It has a run for each candidate and split, one repeat for each ``random_state`` in the grid (without one, a
            single repeat), and neither history nor layers.

        Raises
        ------
        InvalidParameterError
            If the search is not fitted, or several parameters may be meant.

        Notes
        -----
        With a grid, `summary` takes the score of an initializer in a fold at the setting that is best in the *other*
        folds. Its mean is therefore often lower than ``search.best_score_``, which is the highest mean of all settings,
        over the same folds that picked the setting. ``summary(by="setting")`` has the means of ``cv_results_``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.model_selection import GridSearchCV
        >>> from initsk import ComparisonResult, MLPClassifier
        >>> grid = {"initializer": ["zeros", "he_normal"]}
        >>> search = GridSearchCV(MLPClassifier((8,), max_epochs=5, random_state=0), grid)
        >>> result = ComparisonResult.from_search(search.fit(*load_iris(return_X_y=True)))
        >>> result.summary()["n_runs"].tolist()
        [5, 5]
        """
        return cls(*tables_of_search(search, parameter, val_ratio))

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, *, initializer: str = "initializer", score: str | Sequence[str] = "score",
        repeat: str | None = None, fold: str | None = None, split: str | None = None, grid: str | Sequence[str] = (),
        history: pd.DataFrame | None = None, val_ratio: float | None = None,
        bounds: tuple[float | None, float | None] | Mapping[str, tuple[float | None, float | None]] | None = None,
    ) -> Self:  # fmt: skip
        """Return a result made from a frame of runs that were made in any way, as in a training loop of one's own.

        Parameters
        ----------
        frame : DataFrame
            A row for each run. Columns that no argument names are ignored.
        initializer : str, default="initializer"
            Column with the initializers, or with any other values to compare.
        score : str or list of str, default="score"
            Column with the scores; a higher score is better, so a loss needs its sign changed. With several columns,
            the first one determines the ranking. A run without a score (NaN) has failed.
        repeat : str, optional
            Column with the repeat or the seed, by default ``repeat`` if there is such a column. Runs with the same
            repeat and fold are compared as pairs.
        fold : str, optional
            Column with the fold of a cross-validation, by default ``fold`` if there is such a column. `frame` needs a
            column for the repeat or for the fold.
        split : str, optional
            Column with the number of the split, if repeats have splits of their own, by default ``split`` if there is
            such a column. Without it, a fold is the same split in every repeat.
        grid : str or list of str, default=()
            Columns with other parameters that vary, such as a learning rate.
        history : DataFrame, optional
            A row for each run and epoch: the columns that identify a run, under the same names as in `frame`;
            ``epoch``; and any of ``train_loss``, ``val_loss`` and ``val_score``.
        val_ratio : float, optional
            Number of validation samples for each training sample. By default, it follows from the number of folds.
        bounds : tuple of float or None, optional
            The lowest and the highest value that the score can have, with None where there is no bound; for several
            scores, a dict of such tuples by column. By default, those of the scorer of scikit-learn that a column is
            named after, such as ``accuracy`` or ``neg_log_loss``, if all its scores lie inside. Intervals of means stay
            inside the bounds, and the default margin of equivalence follows from them if both are known; otherwise
            give ``margin=`` to `summary`.

        Returns
        -------
        ComparisonResult
            It has neither layers nor timing. ``result.settings["dataset"] = "..."`` names the data in a report.

        Raises
        ------
        InvalidParameterError
            With all mistakes: columns that `frame` lacks, scores that are not numbers or lie outside of `bounds`, or
            runs that are there twice.

        Examples
        --------
        >>> import pandas as pd
        >>> from initsk import ComparisonResult
        >>> frame = pd.DataFrame(
        ...     {"init": ["zeros", "he", "zeros", "he"], "seed": [0, 0, 1, 1], "accuracy": [0.1, 0.9, 0.2, 0.8]}
        ... )
        >>> result = ComparisonResult.from_frame(frame, initializer="init", repeat="seed", score="accuracy")
        >>> result.summary()["mean_score"].round(2).tolist()
        [0.85, 0.15]
        """
        names = {"initializer": initializer, "repeat": repeat, "fold": fold, "split": split}
        return cls(*tables_of_frame(frame, names, score, grid, history, val_ratio, bounds))

    @classmethod
    def from_store(cls, path: str | Path) -> Self:
        """Return a result made from the runs in a store, even if the comparison was killed or is still running.

        Parameters
        ----------
        path : str or Path
            As given to `compare_initializers`.

        Returns
        -------
        ComparisonResult
            The finished runs of the last comparison with this file.

        Raises
        ------
        StoreError
            If the file is not a store, is damaged, or has no finished run.
        """
        return cls(*tables_of_store(path))
