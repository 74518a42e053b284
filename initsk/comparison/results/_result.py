"""The result of a comparison: tidy frames, the ranking, and every pair."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from initsk.comparison.results._compared import compared_parameter
from initsk.comparison.results._inference import TESTS, UNBOUNDED, Bounds
from initsk.comparison.results._intake import typed_tables
from initsk.comparison.results._ranking import BY, Ranked, compare_pairs, rank
from initsk.comparison.results._records import key_columns, missing_runs, score_names
from initsk.comparison.results._sources import ComparisonSources
from initsk.comparison.results._statistics import has_several_splits, tuned_runs
from initsk.comparison.storage._tables import with_experiment
from initsk.exceptions import InvalidParameterError
from initsk.utils.results import Reported
from initsk.utils.validation import Constraint, check_parameters, one_of, optional, real
from initsk.utils.words import counted

_CONSTRAINTS: dict[str, Constraint] = {
    "alpha": real(above=0, below=1),
    "test": one_of("test", TESTS),
    "by": one_of("row", BY),
    "target": optional(real()),
    "margin": optional(real(above=0)),
    "rope": optional(real(minimum=0)),
}


class ComparisonResult(ComparisonSources, Reported):
    """The result of `compare_initializers`.

    Every frame has fixed types. Its first columns are ``initializer`` (a categorical in the order given), the
    parameters of the grid, ``repeat`` and ``fold``; frames can be joined on these. A parameter that has the name of
    another column, such as ``epochs`` or ``rank``, has ``param_`` before its name.

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
        divided by training samples); epochs; status ("ok", "diverged" or "failed"); reason; no_layers (why no layer
        could be measured, or empty); score on the validation data (NaN unless "ok", and if its scorer failed);
        baseline_score, that of a model that does not look at X (it predicts the most frequent class, or the mean; NaN
        for other estimators); with several scorers, ``score_<name>`` and ``baseline_score_<name>`` for each.
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
        A description of the runs. ``settings["score_bounds"]`` has the lowest and the highest value of each column of
        scores.
    """

    def __init__(self, frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any] | None = None) -> None:
        super().__init__(typed_tables(frames), settings)

    def __repr__(self) -> str:
        done, n_missing = len(self.runs), self._missing_runs()
        runs = f"not complete: {done} of {counted(done + n_missing, 'run')}" if n_missing else counted(done, "run")
        name = compared_parameter(self.settings)
        words = (f"value of {name}", f"values of {name}") if name else ("initializer",)
        return f"ComparisonResult({runs} of {counted(len(self.initializers), *words)}; see summary())"

    def summary(
        self, *, alpha: float = 0.05, test: str = "t", target: float | None = None, margin: float | None = None,
        score: str | None = None, by: str = "initializer",
    ) -> pd.DataFrame:  # fmt: skip
        """Rank the initializers, and test their differences to the best one.

        Parameters
        ----------
        alpha : float, default=0.05
            Significance level of the tests.
        test : {"t", "permutation"}, default="t"
            Paired t-test, or sign permutation test. The permutation test does not assume normal differences, but its
            smallest p-value with n repeats is 2 / 2 ** n, which Holm's method multiplies by up to k (k - 1) / 2, the
            number of pairs of k initializers: a p-value below 5 % needs six repeats with two initializers, seven with
            three, and ten with six. With folds, the t-test is corrected for the overlap of their training samples
            (Nadeau and Bengio 2003), and the permutation test is not allowed.
        target : float, optional
            Score to reach; by default `target()`.
        margin : float, optional
            Differences up to this size count as equivalent; by default `margin()`.
        score : str, optional
            Name of the scorer, if there are several; by default the first.
        by : {"initializer", "setting"}, default="initializer"
            With a grid: a row for each initializer at its best setting (see `tuned`), or a row for each initializer at
            each setting.

        Returns
        -------
        DataFrame
            A row for each initializer, the best mean score first, with these columns: rank; with a grid, its most
            frequent best setting; mean_score, std_score, low and high (95 % interval of the mean, inside the bounds of
            the score; NaN for scores that do not vary); n (the repeats, or splits, that intervals and tests use: with
            two or three, they say little); n_paired (those that the best has as well); difference_to_best, with
            difference_low and difference_high (its interval, adjusted as p_value, so that it excludes zero exactly if
            p_value is below `alpha`); effect_size (Cohen's d of the paired differences); p_value (of the difference to
            the best, adjusted over all pairs by Holm's method; NaN without a test: for the best itself, fewer than two
            shared repeats, and differences that do not vary); p_equivalence (of two one-sided tests that the difference
            lies inside `margin`, adjusted in the same way); margin; conclusion ("best", "significantly worse",
            "identical" if all paired scores are equal, "equivalent" if the difference is not significant and
            p_equivalence is below `alpha`, "undecided", or "not tested"; "significantly better" if the best is worse in
            the repeats that both share); significant (whether p_value is below `alpha`; NA without a test, False for
            the best); n_needed (if not significant: the repeats, or splits, that would detect the observed difference
            with 80 % power, if it is the true one; infinite if no number would; NaN if a t-test would need no more than
            n_paired); median epochs_to_target and seconds_to_target (infinite if the median run does not reach it);
            area_under_curve (mean validation score over the epochs); n_runs with a score; n_failed; n_diverged.

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        self._check(alpha=alpha, test=test, target=target, margin=margin, by=by)
        return self._each(rank, score, by, alpha=alpha, test=test, target=target, margin=margin)

    def target(self, score: str | None = None) -> float:
        """Return the default target of `summary`: 98 % of the way from the baseline's score to the best mean score.

        Parameters
        ----------
        score : str, optional
            Name of the scorer, if there are several; by default the first.

        Returns
        -------
        float
            NaN if there is no `baseline_score`, or no mean score is above it.
        """
        return self._ranked(score).target()

    def margin(self, score: str | None = None) -> float:
        """Return the default margin, up to which differences count as equivalent: 1 % of the range of the score.

        The range lies between the bounds of the score, so the margin is 0.01 for accuracy. A score with an upper bound
        only, such as R2 or a negative error, has the range from the baseline's score to that bound.

        Parameters
        ----------
        score : str, optional
            Name of the scorer, if there are several; by default the first.

        Returns
        -------
        float
            NaN if the range is not known: then nothing is tested for equivalence without ``margin=``.
        """
        return self._ranked(score).margin()

    def bounds(self, score: str | None = None) -> Bounds:
        """Return the lowest and the highest value that a score can have.

        Parameters
        ----------
        score : str, optional
            Name of the scorer, if there are several; by default the first.

        Returns
        -------
        tuple of float
            Infinite where there is no bound, or none is known. They are known of scikit-learn's metrics
            (``settings["score_bounds"]``).
        """
        found = self.settings.get("score_bounds", {}).get(self._column(score), (None, None))
        low, high = (end if value is None else float(value) for value, end in zip(found, UNBOUNDED, strict=True))
        return low, high

    def baseline_score(self, score: str | None = None) -> float:
        """Return the mean score of the baseline, a model that predicts the most frequent class or the mean.

        Parameters
        ----------
        score : str, optional
            Name of the scorer, if there are several; by default the first.

        Returns
        -------
        float
            The mean over the splits. NaN if there is no baseline: for an estimator that is neither a classifier nor a
            regressor, a scorer that needs another model, and results of searches.
        """
        return self._ranked(score).baseline()

    def pairwise(
        self, *, alpha: float = 0.05, test: str = "t", margin: float | None = None, rope: float | None = None,
        score: str | None = None, by: str = "initializer",
    ) -> pd.DataFrame:  # fmt: skip
        """Compare every pair of initializers.

        Parameters
        ----------
        alpha, test, margin, score, by
            As in `summary`.
        rope : float, optional
            Region of practical equivalence of a Bayesian test: differences up to this size do not matter in practice.
            It adds posterior probabilities.

        Returns
        -------
        DataFrame
            A row for each pair, the better mean first: first; second; n pairs of scores; the mean difference with low
            and high (its interval, adjusted for the number of pairs as in `summary`); effect_size, p_value,
            p_equivalence, margin, significant and n_needed as in `summary`; conclusion ("significant", "identical",
            "equivalent", "undecided" or "not tested"). With `rope`, the posterior probabilities that `first` is worse,
            equivalent or better: p_worse, p_equivalent, p_better (Bayesian correlated t-test, Corani and Benavoli
            2015).

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        self._check(alpha=alpha, test=test, margin=margin, rope=rope, by=by)
        return self._each(compare_pairs, score, by, alpha=alpha, test=test, margin=margin, rope=rope)

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
        settings = self.settings
        if "n_planned" in settings:
            # As many runs are missing as before.
            settings = settings | {"n_planned": settings["n_planned"] - len(self.runs) + len(runs)}
        return ComparisonResult(self.frames | frames, settings)

    def _check(self, **values: Any) -> None:
        check_parameters(type(self).__name__, values, {name: _CONSTRAINTS[name] for name in values})
        if values.get("test") == "permutation" and has_several_splits(self.runs):
            raise InvalidParameterError("test='permutation' is for repeats; folds share samples (allowed: 't')")

    def _column(self, score: str | None) -> str:
        if score is None or score == self.settings.get("scoring"):
            return "score"
        only = self.settings.get("scoring")
        names = score_names(self.runs) or ([only] if isinstance(only, str) else [])
        if not names:
            raise InvalidParameterError(f"unknown score {score!r} (allowed: None, because there is a single score)")
        check_parameters(type(self).__name__, {"score": score}, {"score": one_of("score", names)})
        return f"score_{score}"

    def _ranked(self, score: str | None, by: str = "initializer") -> Ranked:
        return Ranked(self.frames, self._column(score), self.bounds(score), by)

    def _missing_runs(self) -> int:
        if "experiment" in self.runs:
            return sum(part._missing_runs() for part in self.parts().values())
        return missing_runs(self.runs, self.settings)

    def _each(self, make: Callable[..., pd.DataFrame], score: str | None, by: str, **arguments: Any) -> pd.DataFrame:
        """Return a frame of every experiment, one below the other."""
        if "experiment" not in self.runs:
            return make(self._ranked(score, by), **arguments)
        found = {name: make(part._ranked(score, by), **arguments) for name, part in self.parts().items()}
        parts = [with_experiment(frame, name, list(found)) for name, frame in found.items()]
        return pd.concat(parts, ignore_index=True)
