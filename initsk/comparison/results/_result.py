"""The result of a comparison: tidy frames, the ranking, and every pair."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd

from initsk.comparison.results._intake import typed_tables
from initsk.comparison.results._ranking import BY, compare_pairs, default_target, rank
from initsk.comparison.results._records import key_columns
from initsk.comparison.results._search import tables_of_search
from initsk.comparison.results._statistics import TESTS, has_several_splits, tuned_runs
from initsk.comparison.storage._store import tables_of_store
from initsk.comparison.storage._tables import ComparisonTables, with_experiment
from initsk.exceptions import InvalidParameterError
from initsk.text import visible
from initsk.utils.results import Reported
from initsk.utils.validation import Constraint, check_parameters, one_of, optional, real
from initsk.utils.words import counted

_CONSTRAINTS: dict[str, Constraint] = {
    "alpha": real(above=0, below=1),
    "test": one_of("test", TESTS),
    "by": one_of("row", BY),
    "target": optional(real()),
    "rope": optional(real(minimum=0)),
}


class ComparisonResult(ComparisonTables, Reported):
    """The result of `compare_initializers`.

    Every frame has fixed types. Its first columns are ``initializer`` (a categorical in the order given), the
    parameters of the grid, ``repeat`` and ``fold``; frames can be joined on these.

    Parameters
    ----------
    frames : dict of str to DataFrame
        The tables below.
    settings : dict
        A description of the runs, as text and numbers.

    Attributes
    ----------
    runs : DataFrame
        A row for each run: seed; split (runs with the same number have the same split); val_ratio (validation samples
        divided by training samples); epochs; status ("ok", "diverged" or "failed"); reason; score on the validation
        data (NaN unless "ok"); with several scorers, ``score_<name>`` for each.
    history : DataFrame
        A row for each run and epoch, if the estimator trains in epochs: train_loss, val_loss, val_score.
    layers : DataFrame
        A row for each run, phase, epoch, layer and position; columns as in `ActivationSummary.to_frame`, over the
        validation samples. Phases are "initialized" (epoch 0), "trained" and, only in the first repeat and fold,
        "training" (up to four epochs). predicted_rms is the root mean square that theory predicts at initialization,
        given the validation samples and the current weights (`diagnosis.predict_signal`); it is NaN behind an
        operation that the theory does not cover.
    gradients : DataFrame
        The same for the gradients of each sample's loss, over at most 1,000 validation samples, at initialization;
        predicted_rms follows from the gradient of the last layer.
    weights : DataFrame
        The same for the parameters, with a column ``parameter`` (the name in the layer) in place of ``position``, and
        the columns role, fan_in, fan_out and expected_std of `InitializationRecord.to_frame`: what the initializer's
        formula gives at initialization. Role is empty, and the others NaN, for a parameter that no initializer of this
        package has filled.
    histograms : DataFrame
        A row for each run, phase, epoch, layer, position and bin of the activations: left, right, count, density.
    weight_histograms : DataFrame
        The same for the parameters.
    timing : DataFrame
        A row for each run: the seconds of the run, of the fit and of an epoch. They differ every time, so they are not
        in `runs`.
    settings : dict
        A description of the runs.
    """

    def __init__(self, frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed_tables(frames), settings)

    def __repr__(self) -> str:
        runs, initializers = counted(len(self.runs), "run"), counted(len(self.initializers), "initializer")
        return f"ComparisonResult({runs} of {initializers}; see summary())"

    def summary(
        self, *, alpha: float = 0.05, test: str = "t", target: float | None = None, score: str | None = None,
        by: str = "initializer",
    ) -> pd.DataFrame:  # fmt: skip
        """Rank the initializers, and test their differences to the best one.

        Parameters
        ----------
        alpha : float, default=0.05
            Significance level of the tests.
        test : {"t", "permutation"}, default="t"
            Paired t-test, or sign permutation test. The permutation test does not assume normal differences, but needs
            six repeats for a p-value below 5 %. With folds, the t-test is corrected for the overlap of their training
            samples (Nadeau and Bengio 2003), and the permutation test is not allowed.
        target : float, optional
            Score to reach; by default the best mean score minus 2 % of its absolute value.
        score : str, optional
            Name of the scorer, if there are several; by default the first.
        by : {"initializer", "setting"}, default="initializer"
            With a grid: a row for each initializer at its best setting (see `tuned`), or a row for each initializer at
            each setting.

        Returns
        -------
        DataFrame
            A row for each initializer, the best mean score first, with these columns: rank; with a grid, its most
            frequent best setting; mean_score, std_score, low and high (95 % interval of the mean); difference_to_best;
            effect_size (Cohen's d of the paired differences); p_value (of the difference to the best, adjusted over all
            pairs by Holm's method; NaN without a test: for the best itself, fewer than two shared repeats, and
            differences that do not vary); significant (whether p_value is below `alpha`; NA without a test, False for
            the best); n_needed (if not significant: the repeats, or splits, that would detect such a difference with 80
            % power; infinite if no number would); median epochs_to_target and seconds_to_target (infinite if the median
            run does not reach it); area_under_curve (mean validation score over the epochs); n_runs with a score;
            n_failed; n_diverged.

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        self._check(alpha=alpha, test=test, target=target, by=by)
        return self._each(rank, alpha=alpha, test=test, target=target, by=by, column=self._column(score))

    def target(self, score: str | None = None) -> float:
        """Return the default target of `summary`: the best mean score minus 2 % of its absolute value.

        Parameters
        ----------
        score : str, optional
            Name of the scorer, if there are several; by default the first.

        Returns
        -------
        float
            NaN if no run gave a score.
        """
        return default_target(self.frames, self._column(score))

    def pairwise(
        self, *, alpha: float = 0.05, test: str = "t", rope: float | None = None, score: str | None = None,
        by: str = "initializer",
    ) -> pd.DataFrame:  # fmt: skip
        """Compare every pair of initializers.

        Parameters
        ----------
        alpha, test, score, by
            As in `summary`.
        rope : float, optional
            Region of practical equivalence: differences up to this size do not matter in practice. It adds posterior
            probabilities.

        Returns
        -------
        DataFrame
            A row for each pair, the better mean first: first; second; n pairs of scores; the mean difference with low
            and high (its interval with confidence 1 - alpha, not adjusted for the number of pairs); effect_size,
            p_value (adjusted over all pairs by Holm's method), significant and n_needed as in `summary`. With `rope`,
            the posterior probabilities that `first` is worse, equivalent or better: p_worse, p_equivalent, p_better
            (Bayesian correlated t-test, Corani and Benavoli 2015).

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        self._check(alpha=alpha, test=test, rope=rope, by=by)
        return self._each(compare_pairs, alpha=alpha, test=test, rope=rope, by=by, column=self._column(score))

    def tuned(self, score: str | None = None) -> "ComparisonResult":
        """Return the runs of each initializer at its best setting.

        In each repeat and fold, this is the setting that is best in the other repeats and folds.

        Parameters
        ----------
        score : str, optional
            Name of the scorer, if there are several; by default the first.

        Returns
        -------
        ComparisonResult
            Only the selected runs; without a grid, all.
        """
        runs = tuned_runs(self.runs, self._column(score))
        keys = key_columns(self.runs)
        order = ["initializer", "repeat", "fold"]
        frames = {
            name: frame.merge(runs[keys], on=keys, how="inner").sort_values(order, kind="stable", ignore_index=True)
            for name, frame in self.frames.items()
            if len(frame)
        }
        return ComparisonResult(self.frames | frames, self.settings)

    @classmethod
    def from_search(cls, search: Any, *, parameter: str | None = None, val_ratio: float | None = None) -> Self:
        """Return a result made from a finished search.

        Parameters
        ----------
        search : GridSearchCV or another of scikit-learn's searches
            A fitted search. Of a successive halving search, only the last iteration is used.
        parameter : str, optional
            Name of the compared parameter; by default the one called ``initializer``, at any depth. The other
            parameters become the grid.
        val_ratio : float, optional
            Number of validation samples for each training sample, if it does not follow from the search's `cv`.

        Returns
        -------
        ComparisonResult
            It has one repeat, a run for each candidate and split, and neither history nor layers.

        Raises
        ------
        InvalidParameterError
            If the search is not fitted, or several parameters may be meant.

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

    def _check(self, **values: Any) -> None:
        check_parameters(type(self).__name__, values, {name: _CONSTRAINTS[name] for name in values})
        if values.get("test") == "permutation" and has_several_splits(self.runs):
            raise InvalidParameterError("test='permutation' is for repeats; folds share samples (allowed: 't')")

    def _column(self, score: str | None) -> str:
        if score is None or score == self.settings.get("scoring"):
            return "score"
        names = [str(name).removeprefix("score_") for name in self.runs.columns if str(name).startswith("score_")]
        check_parameters(type(self).__name__, {"score": score}, {"score": one_of("score", names)})
        return f"score_{score}"

    def _each(self, make: Callable[..., pd.DataFrame], **arguments: Any) -> pd.DataFrame:
        """Return a frame of every experiment, one below the other."""
        if "experiment" not in self.runs:
            return make(self.frames, **arguments)
        found = {name: make(part.frames, **arguments) for name, part in self.parts().items()}
        parts = [with_experiment(frame, name, list(found)) for name, frame in found.items()]
        return pd.concat(parts, ignore_index=True)


class ComparisonInterrupted(KeyboardInterrupt, SystemExit):
    """Raised when a comparison is interrupted; a script that does not catch it exits with code 130.

    It is a KeyboardInterrupt, and a SystemExit as well because Python exits with that code only for the built-in
    KeyboardInterrupt.

    Attributes
    ----------
    result : ComparisonResult or None
        The finished runs; None if there are none.
    finished, planned : int
        Numbers of finished and of planned runs.
    store : Path or None
        The file with the finished runs; the same call continues from there.
    """

    def __init__(self, result: ComparisonResult | None, finished: int, planned: int, store: Path | None) -> None:
        kept = "the same call runs them again" if store else "without store=, the same call runs them again"
        if store is not None and finished:
            kept = f"they are in {store}, and the same call continues from there"
        super().__init__(visible(f"interrupted with {finished} of {counted(planned, 'run')} finished; {kept}"))
        self.code = 130
        self.result, self.finished, self.planned, self.store = result, finished, planned, store

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs, as workers do that send the interrupt to another process."""
        return type(self), (self.result, self.finished, self.planned, self.store)
