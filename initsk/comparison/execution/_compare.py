"""Scorers, as scikit-learn names them."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring

from initsk.comparison.design._candidates import Candidate, make_candidates, shown, without_addresses
from initsk.comparison.design._data import check_data, split_data
from initsk.comparison.design._subject import Subject
from initsk.comparison.execution._plan import Plan
from initsk.comparison.execution._run import Experiment, Scorer
from initsk.comparison.results._result import ComparisonResult
from initsk.comparison.storage._identity import hardware, identify, versions
from initsk.comparison.storage._store import Store
from initsk.exceptions import InvalidParameterError
from initsk.initializers import FromCallable, InitializerLike
from initsk.utils.random import RandomState, resolve_seed
from initsk.utils.validation import Constraint, boolean, check_parameters, integer, optional


def make_scorer(estimator: Any, scoring: Any) -> Scorer:
    """Return a function of a fitted estimator, X and y that gives scores by name, the ranking one first.

    Raises
    ------
    InvalidParameterError
        If scikit-learn does not know the scorer, or the estimator has no score of its own.
    """
    several = isinstance(scoring, list | tuple | set | dict)
    if several and not scoring:
        raise InvalidParameterError("scoring must be at least one scorer")
    try:
        scorer = check_scoring(estimator, scoring)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"scoring={scoring!r} is not allowed ({without_addresses(str(error))})") from error
    return scorer if several else Single(scorer)


class Single:
    """A single scorer in the form of several."""

    def __init__(self, scorer: Any) -> None:
        self.scorer = scorer

    def __call__(self, estimator: Any, X: Any, y: Any) -> dict[str, float]:
        """Return the one score."""
        return {"score": self.scorer(estimator, X, y)}


# What is not said where it is as it is by itself.
_DEFAULTS = {"cv": None, "scoring": None, "n_repeats": 5, "random_state": 0, "racing": False, "activations": True,
             "n_threads": 1}  # fmt: skip


def code_of(subject: Subject, candidates: Sequence[Candidate], grid: Any, given: Mapping[str, Any]) -> str:
    """Return the call, with the data as X and y, and functions and splitters as they are shown."""
    values = {candidate.label: candidate.params.get(subject.parameter) for candidate in candidates}
    given_values = ", ".join(_source(label, value, subject) for label, value in values.items())
    arguments = [without_addresses(repr(subject.estimator)), "X", "y", f"initializers=[{given_values}]"]
    if subject.parameter != "initializer":
        arguments.append(f"parameter={subject.parameter!r}")
    if grid:
        shown_grid = {name: [shown(value) for value in choices] for name, choices in grid.items()}
        arguments.append(f"grid={shown_grid!r}")
    if given.get("X_val") is not None:
        arguments.append("X_val=X_val, y_val=y_val")
    for name, default in _DEFAULTS.items():
        value = given.get(name, default)
        if value is not default and value != default:
            arguments.append(f"{name}={_written(value)}")
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f"compare_initializers(\n{lines})"


def _source(label: str, value: Any, subject: Subject) -> str:
    """Return what stands for a value in code: a function's name, an initializer's name in quotes, or a repr."""
    if isinstance(value, FromCallable) or not subject.is_of_initializers or "(" in label:
        return label
    return repr(label)


def _written(value: Any) -> str:
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) else without_addresses(repr(value))


ARTICLE_INITIALIZERS = ("zeros", "random_normal", "glorot_normal", "he_normal", "lecun_normal", "orthogonal")


def compare_initializers(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    initializers: Iterable[InitializerLike] = ARTICLE_INITIALIZERS,
    parameter: str | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    X_val: Any = None,
    y_val: Any = None,
    cv: Any = None,
    groups: Any = None,
    scoring: Any = None,
    n_repeats: int = 5,
    random_state: RandomState = 0,
    racing: bool = False,
    activations: bool = True,
    store: str | Path | None = None,
    n_jobs: int | None = None,
    n_threads: int = 1,
    progress: bool = False,
    about: Mapping[str, str] | None = None,
) -> ComparisonResult:
    """Compare initializers, paired by construction.

    Under one repeat and fold every initializer sees the same split, the same batches in the same order, the same
    dropout masks and common random numbers, so that differences between them are not noise of the seeds. Each run
    trains on a fixed number of threads, so the numbers depend neither on how many run at once, nor where, nor in
    which order they finish. A run that fails, diverges or is killed is a row, not an exception.

    Parameters
    ----------
    estimator : estimator
        Of this package, a skorch net of any class, a pipeline that ends in one, or any other estimator together
        with `parameter`. Cloned for every run; all its parameters ``random_state`` and ``n_threads`` are set.
    X : array-like of shape (n_samples, ...)
        Training samples; for skorch nets whatever they take.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels or targets.
    initializers : iterable of str, Initializer or callable
        What to compare; the article's six by default. Each once, under its name, its
        repr or the function's name. Values of any kind, where `parameter` is no initializer.
    parameter : str, optional
        Which parameter is compared; by default the one called ``initializer``, at any depth.
    grid : dict of str to list, optional
        Other parameters to vary. Every initializer is run at every setting, and `ComparisonResult.summary` compares
        each at its own best: ``grid={"lr": [1e-4, 1e-3, 1e-2]}`` is the fair comparison, as the best
        learning rate differs.
    X_val, y_val : array-like, optional
        Held-out data for scores and activations; without them, and without `cv`, a quarter of X, drawn
        by `random_state` and for classifiers by class, is held out.
    cv : int, splitter or iterable of splits, optional
        Folds instead of held-out data. A number of folds is shuffled, anew in every repeat, and so is a splitter that
        shuffles without a random state of its own; others split the same way every time.
    groups : array-like of shape (n_samples,), optional
        For splitters that keep groups together.
    scoring : str, callable, list, dict or None, default=None
        As in scikit-learn; of several scorers the first one ranks. None takes the estimator's own score.
    n_repeats : int, default=5
        Seeds per initializer, or per initializer and fold.
    random_state : int, RandomState, Generator or None, default=0
        Seed that splits and the runs' seeds derive from.
    racing : bool, default=False
        After every repeat (and fold) from the second on, leave out who is already worse than the best beyond noise
        (by the test of `ComparisonResult.summary`, at 5 % divided by the number of looks). ``settings`` says
        who was, and how many runs were saved.
    activations : bool, default=True
        Measure the layers of networks before and after training.
    store : str or Path, optional
        SQLite file in which every finished run is committed at once. The same call goes on from what is there, byte
        for byte, also after the process was killed; more initializers, settings or repeats can be added.
    n_jobs : int or None, default=None
        Runs at once, as joblib counts; None is 1 or what ``joblib.parallel_config`` says.
    n_threads : int, default=1
        Threads of each run. Other numbers of threads give other roundings.
    progress : bool, default=False
        Show progress with the time left on standard error.
    about : dict of str to str, optional
        Words for the report, kept in ``settings``: "dataset", the name of the data, and "command", what repeats the
        comparison, in place of the call in Python.

    Returns
    -------
    ComparisonResult

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, or the data would make every run fail: missing values,
        parts that do not fit together, labels that only `y_val` holds.
    StoreError
        If the store is another kind of file, damaged, or holds other data, another estimator or other versions.
    ComparisonInterrupted
        On Ctrl-C; carries what had finished. The workers have ended.

    Warns
    -----
    FitFailedWarning
        If no run gave a score; scikit-learn's.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from initsk import MLPClassifier, compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(MLPClassifier((32,), max_epochs=5), X / 16, y,
    ...                               initializers=["zeros", "he_normal"], n_repeats=2)
    >>> result.summary()["initializer"].tolist()
    ['he_normal', 'zeros']
    """
    given = {
        "n_repeats": n_repeats, "n_threads": n_threads, "racing": racing, "activations": activations,
        "progress": progress, "store": store, "n_jobs": n_jobs, "about": about,
    }  # fmt: skip
    check_parameters("compare_initializers", given, _TABLE)
    subject = Subject.of(estimator, parameter)
    if initializers is ARTICLE_INITIALIZERS and not subject.is_of_initializers:
        raise InvalidParameterError(f"{subject.parameter} is no initializer: give its values by initializers=")
    if random_state is None and store is not None:
        raise InvalidParameterError("random_state=None draws another seed at every call, so a store could never go on")
    candidates = make_candidates(subject, initializers, grid)
    seed = resolve_seed(random_state)
    by_class = is_classifier(estimator)
    whole = check_data(X, y, X_val, y_val, types=subject.types_of_matrix, by_class=by_class)
    data, blocks = split_data(whole, cv, groups, by_class=by_class, n_repeats=n_repeats, seed=seed)
    experiment = Experiment(subject, data, make_scorer(estimator, scoring), n_threads, activations)
    plan = Plan(experiment, candidates, blocks, racing)
    settings = plan.settings() | {"random_state": seed, "n_repeats": n_repeats, "versions": versions()}
    called = {"X_val": X_val, "cv": cv, "scoring": scoring, "n_repeats": n_repeats, "random_state": seed}
    called |= {"racing": racing, "activations": activations, "n_threads": n_threads}
    settings |= {"hardware": hardware(), "n_threads": n_threads, "call": code_of(subject, candidates, grid, called)}
    settings |= dict(about or {})
    if cv is not None:
        settings["cv"] = without_addresses(repr(cv))
    if scoring is not None:
        settings["scoring"] = shown(scoring)
    elif by_class or is_regressor(estimator):
        settings["scoring"] = "accuracy" if by_class else "r2"
    identity = identify(experiment, whole, plan.varied, random_state=seed, scoring=scoring, cv=cv)
    with nullcontext() if store is None else Store(store, identity) as kept:
        result = plan.carry_out(settings, n_jobs, kept, progress)
    if result.runs["score"].isna().all():
        message = f"none of {len(result.runs)} runs gave a score; the first: {result.runs['reason'].iloc[0]}"
        warnings.warn(message, FitFailedWarning, stacklevel=2)
    return result


def _jobs(value: Any) -> str | None:
    fine = isinstance(value, Integral) and not isinstance(value, bool) and value != 0
    return None if fine else "an integer other than 0, -1 for all processors"


def _path(value: Any) -> str | None:
    return None if isinstance(value, str | PathLike) else "a path"


def _words(value: Any) -> str | None:
    allowed = ("dataset", "command")
    fine = isinstance(value, Mapping) and all(name in allowed and isinstance(text, str) for name, text in value.items())
    return None if fine else f"a dict of words for {' and '.join(map(repr, allowed))}"


_TABLE: dict[str, Constraint] = {
    "store": optional(_path),
    "about": optional(_words),
    "n_jobs": optional(_jobs),
    "n_repeats": integer(1),
    "n_threads": integer(1),
    **dict.fromkeys(("racing", "activations", "progress"), boolean()),
}
