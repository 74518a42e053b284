"""What a comparison found, as tidy frames."""

from pathlib import Path
from typing import Any

import pandas as pd

from initsk.comparison.results._records import key_columns
from initsk.comparison.results._search import tables_of_search
from initsk.comparison.results._statistics import TESTS, of_splits, tuned
from initsk.comparison.results._summary import BY, compare_pairs, summarize, target_of
from initsk.comparison.storage._store import tables_of_store
from initsk.comparison.storage._tables import Tables, with_experiment
from initsk.exceptions import InvalidParameterError
from initsk.utils.results import Reported
from initsk.utils.validation import Constraint, check_parameters, one_of, optional, real

_TABLE: dict[str, Constraint] = {
    "alpha": real(above=0, below=1),
    "test": one_of("test", TESTS),
    "by": one_of("row", BY),
    "target": optional(real()),
    "rope": optional(real(minimum=0)),
}


class ComparisonResult(Tables, Reported):
    """Initializers compared; made by `compare_initializers`.

    Every frame has fixed types, begins with ``initializer`` (a categorical in the order given), the parameters of the
    grid, ``repeat`` and ``fold``, and can be joined to the others by these.

    Parameters
    ----------
    frames : dict of str to DataFrame
        The tables below.
    settings : dict
        What was run, as text and numbers.

    Attributes
    ----------
    runs : DataFrame
        A row per run: seed; split (equal numbers are equal splits); val_ratio (held-out samples for each of those
        trained on); epochs; status ("ok", "diverged" or "failed"); reason; score on the held-out data (NaN unless
        "ok"), and with several scorers ``score_<name>`` of each.
    history : DataFrame
        A row per run and epoch, of estimators that train by epochs: train_loss, val_loss, val_score.
    layers : DataFrame
        A row per run, phase, epoch, layer and position; columns as `ActivationSummary.to_frame`, over the held-out
        samples. Phases are "initialized" (epoch 0), "trained" and, of the first repeat and fold alone, "training": up
        to four epochs on the way. predicted_rms is the root mean square that theory expects at initialization
        from the first layer's on (`theory.forward_signal`), NaN where the network is no plain chain of layers.
    gradients : DataFrame
        The same of each sample's loss, over at most 1,000 held-out samples, at initialization; predicted_rms goes
        from the last layer's gradient back (`theory.backward_signal`).
    weights : DataFrame
        The same of the parameters; ``parameter``, the name in the layer, stands in place of ``position``.
    histograms : DataFrame
        A row per run, phase, epoch, layer, position and bin: left, right, count, density, of the activations.
    weight_histograms : DataFrame
        The same of the parameters.
    timing : DataFrame
        A row per run: seconds in all, of the fit alone, and per epoch of training; apart, since they differ every
        time.
    settings : dict
        What was run.
    """

    def __repr__(self) -> str:
        return f"ComparisonResult({len(self.runs)} runs of {len(self.initializers)} initializers; see summary())"

    def summary(
        self,
        *,
        alpha: float = 0.05,
        test: str = "t",
        target: float | None = None,
        score: str | None = None,
        by: str = "initializer",
    ) -> pd.DataFrame:
        """Rank the initializers, and tell differences from noise.

        Parameters
        ----------
        alpha : float, default=0.05
            Level of the tests.
        test : {"t", "permutation"}, default="t"
            Over repeats, the paired t-test, or the permutation of signs, which assumes no normal differences but
            needs six repeats to see anything at 5 %. Over folds the t-test is corrected for what they share
            (Nadeau and Bengio 2003), and there is no permutation.
        target : float, optional
            Score to be reached; by default 2 % of its size below the best mean score.
        score : str, optional
            Which of several scorers; by default the first.
        by : {"initializer", "setting"}, default="initializer"
            With a grid: each initializer, in every repeat and fold at the setting that was best in the other ones;
            or each initializer at each setting.

        Returns
        -------
        DataFrame
            A row per initializer, the best mean score first: rank; the setting that was mostly best; mean_score,
            std_score, low and high (95 % interval of the mean); difference_to_best, effect_size (Cohen's d of the
            paired differences), p_value (against the best, Holm's correction over all pairs; NaN where there is no
            test: the best itself, fewer than two shared repeats, differences that do not vary), significant (whether
            p_value is below `alpha`; NA without a test), n_needed (where it is not: the repeats, or splits, that would
            detect such a difference with 80 % power; infinite if no number would); median epochs_to_target
            and seconds_to_target (infinite where the median run does not get there), area_under_curve (mean held-out
            score over the epochs); n_runs with a score, n_failed, n_diverged.

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        self._check(alpha=alpha, test=test, target=target, by=by)
        arguments: dict[str, Any] = {"alpha": alpha, "test": test, "target": target, "by": by}
        return self._each(summarize, column=self._column(score), **arguments)

    def target(self, score: str | None = None) -> float:
        """Return the score that `summary` takes for reached: 2 % of its size below the best mean score.

        Parameters
        ----------
        score : str, optional
            Which of several scorers; by default the first.

        Returns
        -------
        float
            NaN if no run gave a score.
        """
        return target_of(self.frames, self._column(score))

    def pairwise(
        self,
        *,
        alpha: float = 0.05,
        test: str = "t",
        rope: float | None = None,
        score: str | None = None,
        by: str = "initializer",
    ) -> pd.DataFrame:
        """Compare every two initializers.

        Parameters
        ----------
        alpha, test, score, by
            As in `summary`.
        rope : float, optional
            Differences up to this size count as none in practice (region of practical equivalence); adds a Bayesian
            reading.

        Returns
        -------
        DataFrame
            A row per pair, the better mean first: first, second; n pairs of scores; difference, low and high
            (interval of its mean at level alpha, not corrected for the number of pairs), effect_size, p_value (Holm's
            correction over all pairs), significant, n_needed, as in `summary`. With `rope`, the posterior probabilities
            that `first` is worse, that both are equivalent, and that it is better: p_worse, p_equivalent, p_better
            (Bayesian correlated t-test, Corani and Benavoli 2015).

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        self._check(alpha=alpha, test=test, rope=rope, by=by)
        arguments: dict[str, Any] = {"alpha": alpha, "test": test, "rope": rope, "by": by}
        return self._each(compare_pairs, column=self._column(score), **arguments)

    def tuned(self, score: str | None = None) -> "ComparisonResult":
        """Return each initializer at its own best setting, in every repeat and fold that of the other ones.

        Parameters
        ----------
        score : str, optional
            Which of several scorers; by default the first.

        Returns
        -------
        ComparisonResult
            The chosen runs alone; without a grid, all.
        """
        runs = tuned(self.runs, self._column(score))
        keys = key_columns(self.runs)
        order = ["initializer", "repeat", "fold"]
        frames = {
            name: frame.merge(runs[keys], on=keys, how="inner").sort_values(order, kind="stable", ignore_index=True)
            for name, frame in self.frames.items()
            if len(frame)
        }
        frames = self.frames | frames
        return ComparisonResult(frames, self.settings)

    @classmethod
    def from_search(
        cls, search: Any, *, parameter: str | None = None, val_ratio: float | None = None
    ) -> "ComparisonResult":
        """Read a finished search, for the same statistics and the same report.

        Parameters
        ----------
        search : GridSearchCV or another of scikit-learn's searches
            Fitted. Of a racing search, the candidates of the last iteration count.
        parameter : str, optional
            Name of what is compared; by default the parameter called ``initializer``, at any depth. Others are the
            grid.
        val_ratio : float, optional
            Held-out samples for each of those trained on, where the search's `cv` does not tell.

        Returns
        -------
        ComparisonResult
            With one repeat, a run per candidate and split, and neither history nor layers.

        Raises
        ------
        InvalidParameterError
            If the search is not fitted, or which parameter is compared is not clear.

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
    def from_store(cls, path: str | Path) -> "ComparisonResult":
        """Read the runs of a store, whether its comparison has finished, was killed or still runs.

        Parameters
        ----------
        path : str or Path
            As given to `compare_initializers`.

        Returns
        -------
        ComparisonResult
            Of what the last call with this file compared: all runs that have finished so far.

        Raises
        ------
        StoreError
            If the file is no store, is damaged, or holds no finished run.
        """
        return cls(*tables_of_store(Path(path).expanduser()))

    def _check(self, **values: Any) -> None:
        check_parameters(type(self).__name__, values, {name: _TABLE[name] for name in values})
        if values.get("test") == "permutation" and of_splits(self.runs):
            raise InvalidParameterError("test='permutation' is for repeats; folds share samples (allowed: 't')")

    def _column(self, score: str | None) -> str:
        if score is None or score == self.settings.get("scoring"):
            return "score"
        names = [str(name).removeprefix("score_") for name in self.runs.columns if str(name).startswith("score_")]
        check_parameters(type(self).__name__, {"score": score}, {"score": one_of("score", names)})
        return f"score_{score}"

    def _each(self, make: Any, **arguments: Any) -> pd.DataFrame:
        """Make a frame; of several experiments, one each."""
        if "experiment" not in self.runs:
            frame: pd.DataFrame = make(self.frames, **arguments)
            return frame
        found = {name: make(part.frames, **arguments) for name, part in self.parts().items()}
        parts = [with_experiment(frame, name, list(found)) for name, frame in found.items()]
        return pd.concat(parts, ignore_index=True)


class ComparisonInterrupted(KeyboardInterrupt, SystemExit):
    """A comparison was interrupted, as a KeyboardInterrupt; a script that does not catch it exits with code 130.

    It is a SystemExit too, since Python gives that code to no KeyboardInterrupt but the built-in one.

    Attributes
    ----------
    result : ComparisonResult or None
        The runs that had finished; None if none had.
    finished, planned : int
        Numbers of runs.
    store : Path or None
        Where the finished runs are kept; the same call goes on from there.
    """

    def __init__(self, result: ComparisonResult | None, finished: int, planned: int, store: Path | None) -> None:
        kept = "without store= they must be run again"
        if store is not None:
            kept = f"they are kept in {store}, and the same call goes on from there"
        super().__init__(f"interrupted with {finished} of {planned} runs finished; {kept}")
        self.code = 130
        self.result = result
        self.finished = finished
        self.planned = planned
        self.store = store
