"""`compare_initializers`: check the arguments, plan the runs and carry them out."""

import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from inspect import signature
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import FitFailedWarning

from initsk.comparison.design._bounds import score_bounds
from initsk.comparison.design._candidates import Grid, make_candidates, shown, storable
from initsk.comparison.design._data import Target, as_arrays, check_data, class_shares, split_data
from initsk.comparison.design._described import describe_parameters
from initsk.comparison.design._effect import check_effect
from initsk.comparison.design._inputs import describe_inputs
from initsk.comparison.design._model_builder import ModelBuilder
from initsk.comparison.execution._call import call_as_code
from initsk.comparison.execution._plan import Plan
from initsk.comparison.execution._run import Experiment
from initsk.comparison.execution._scoring import (
    check_scorers,
    make_scorer,
    scores_by_name,
    single_scorers,
    warn_of_missing_scores,
)
from initsk.comparison.results._result import ComparisonResult
from initsk.comparison.storage._identity import hardware, identify
from initsk.comparison.storage._store import open_store
from initsk.exceptions import InvalidParameterError
from initsk.initializers import InitializerLike
from initsk.text import brief
from initsk.utils.precision import describe_not_finite
from initsk.utils.random import RandomState, resolve_seed
from initsk.utils.torch_settings import outside_of_contexts
from initsk.utils.validation import Constraint, allow, boolean, check_parameters, integer, optional, thread_count
from initsk.utils.versions import versions

ARTICLE_INITIALIZERS = ("zeros", "random_normal", "glorot_normal", "he_normal", "lecun_normal", "orthogonal")
# Forms of `scoring` with several scorers.


def compare_initializers(
    estimator: Any, X: Any, y: Any = None, *,
    initializers: Iterable[InitializerLike] = ARTICLE_INITIALIZERS, parameter: str | None = None,
    grid: Grid | None = None,
    X_val: Any = None, y_val: Any = None, cv: Any = None, groups: Any = None, scoring: Any = None,
    n_repeats: int = 5, random_state: RandomState = 0, racing: bool = False, activations: bool = True,
    store: str | Path | None = None, n_jobs: int | None = None, n_threads: int = 1, progress: bool = False,
    about: Mapping[str, str] | None = None,
) -> ComparisonResult:  # fmt: skip
    """Compare initializers on paired runs.

    In one repeat and fold, every initializer gets the same split, the same batches in the same order, the same dropout
    masks and common random numbers, so the differences do not come from the seeds. Each run trains on a fixed number of
    threads, so the results do not depend on the number of runs at once, or on the order in which they finish. A run
    that fails, diverges or is killed is a row in the result and raises no exception.

    Parameters
    ----------
    estimator : estimator
        An estimator of this package, any skorch net, a pipeline that ends in one, or any other estimator, with
        `parameter`. It is cloned for every run, and all its parameters ``random_state`` and ``n_threads`` are set.
    X : array-like of shape (n_samples, ...)
        Training samples; for a skorch net, any input that the net accepts. Or a data set of torch, torchvision or
        Hugging Face, which `initsk.datasets.to_arrays` turns into arrays; at most 4 GiB.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), or str, optional
        Labels or targets. Of a data set, None, or the name of its column of targets.
    initializers : iterable of str, Initializer or callable
        The initializers to compare, each given once. Their labels are the name, the repr, or the name of the function.
        If `parameter` is not an initializer, the values of `parameter`, of any type.
    parameter : str, optional
        Name of the compared parameter; by default the one called ``initializer``, at any depth.
    grid : dict of str to list, optional
        Other parameters to vary. Every initializer is run at every setting, and `ComparisonResult.summary` compares
        each at its own best: ``grid={"lr": [1e-4, 1e-3, 1e-2]}`` makes the comparison fair, since the best learning
        rate depends on the initializer.
    X_val, y_val : array-like, optional
        Validation data, as X and y, for scores and activations. Without them and without `cv`, a quarter of X is held
        out, drawn with `random_state`; for classifiers with one label per sample, the split is stratified.
    cv : int, splitter or iterable of splits, optional
        Cross-validation instead of one validation set. With a number of folds, or a splitter that shuffles and has no
        random state, the folds differ between repeats; other splitters give the same folds in every repeat.
        ``StratifiedShuffleSplit(1)`` (``ShuffleSplit(1)`` for numbers) holds out other samples in every repeat.
    groups : array-like of shape (n_samples,), optional
        Groups for splitters that keep them together.
    scoring : str, callable, list, dict or None, default=None
        As in scikit-learn; with several scorers, the first one determines the ranking, and one that fails has the score
        NaN. None takes the ``score`` of the estimator.
    n_repeats : int, default=5
        Number of repeats of every initializer and fold, each with its own seed.
    random_state : int, RandomState, Generator or None, default=0
        Seed from which the splits and the seeds of the runs are derived. None draws it from numpy's global generator,
        as in scikit-learn.
    racing : bool, default=False
        After every repeat (and fold) from the second on, stop the initializers that are significantly worse than the
        best (by the test of `ComparisonResult.summary`, at 5 % divided by the number of tests). ``settings["racing"]``
        has the stopped initializers and the number of runs saved.
    activations : bool, default=True
        Measure the layers of networks before and after training: the frames `layers`, `gradients`, `weights` and
        `histograms` of the result. They have rows for `MLPClassifier`, `MLPRegressor`, any skorch net, and a pipeline
        that ends in one of these. Any other estimator has scores only.
    store : str or Path, optional
        SQLite file that keeps every run as soon as it finishes. The same call continues from these runs, even after the
        process was killed, and gives the same result. A later call may add initializers, settings and repeats.
    n_jobs : int or None, default=None
        Number of runs at once, as in joblib; None is 1 unless ``joblib.parallel_config`` sets another number.
    n_threads : int, default=1
        Number of torch threads of each run, at most 1024. Another number changes the rounding, and so the results.
    progress : bool, default=False
        Show progress with the time left on standard error.
    about : dict of str to str, optional
        Texts for the report, kept in ``settings``: "dataset", the name of the data; "target_name", that of the column
        to predict; and "command", a command that repeats the comparison, which the report shows in place of the call in
        Python. With a command, an interrupt is not printed, only raised: the command says what it has kept.

    Returns
    -------
    ComparisonResult
        `summary()` ranks the initializers, with intervals and p-values; `pairwise()` tests each pair; `tuned()` keeps
        each at its best setting; `target()` is the score to reach. The frames `runs`, `history`, `layers`, `gradients`,
        `weights`, `histograms` and `timing` have the data. `answer()` is a sentence; `to_html`, `to_markdown`,
        `to_json` and `to_pictures` write the report, `save` and `load` keep the result.

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed; if scikit-learn's scorers cannot score such targets; if no initializer fills a
        weight of the network; or if the data would make every run fail: missing values, X and y that do not fit
        together, or labels that only `y_val` has.
    StoreError
        If the store is another kind of file, is damaged, or belongs to other data, another estimator or other versions.
    ComparisonInterrupted
        On Ctrl-C, with the runs that had finished. The workers have ended.

    Warns
    -----
    FitFailedWarning
        If no run gives a score; the class is scikit-learn's.
    UserWarning
        If one of several scorers gives no score; before the runs if it cannot score such targets.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from initsk import MLPClassifier, compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(MLPClassifier((32,), max_epochs=5), X / 16, y,
    ...                               initializers=["zeros", "he_normal"], n_repeats=2)
    >>> result.summary()["initializer"].tolist()
    ['he_normal', 'zeros']

    In a pipeline, which prepares the data in each run:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> pipeline = make_pipeline(StandardScaler(), MLPClassifier((32,), max_epochs=1))
    >>> result = compare_initializers(pipeline, X, y, initializers=["zeros", "he_normal"], n_repeats=2)
    >>> sorted(result.layers["layer"].unique())
    ['hidden_1', 'output']
    """
    given = dict(locals())
    check_parameters("compare_initializers", given, _CONSTRAINTS)
    # JSON, in stores and saved results, has no scalars of numpy.
    n_repeats, n_threads, racing, activations = int(n_repeats), int(n_threads), bool(racing), bool(activations)
    given |= {"n_repeats": n_repeats, "n_threads": n_threads, "racing": racing, "activations": activations}
    builder = ModelBuilder.of(estimator, parameter)
    if initializers is ARTICLE_INITIALIZERS and not builder.varies_initializer:
        raise InvalidParameterError(f"{builder.parameter} is not an initializer: give its values as initializers=")
    if random_state is None and store is not None:
        raise InvalidParameterError("random_state=None draws another seed in every call, but a store needs the same")
    candidates = make_candidates(builder, initializers, grid)
    has_classes = is_classifier(estimator)
    X, y = as_arrays(X, y, builder.matrix_types)
    X_val, y_val = as_arrays(X_val, y_val, builder.matrix_types)
    target: Target = "classes" if has_classes else "numbers" if is_regressor(estimator) else "any"
    whole = check_data(X, y, X_val, y_val, types_of=builder.matrix_types, target=target)
    seed = resolve_seed(random_state)
    data, rounds = split_data(whole, cv, groups, has_classes=has_classes, n_repeats=n_repeats, seed=seed)
    with outside_of_contexts(dtype=torch.float32):
        check_effect(builder, candidates, seed=seed)
    scorer = make_scorer(estimator, scoring)
    _, y_train, _, y_test = data.parts(rounds[0])
    failing = check_scorers(estimator, scoring, y_train, y_test, stacklevel=2)
    experiment = Experiment(builder, data, scores_by_name(scorer), n_threads, activations)
    plan, parameters = Plan(experiment, candidates, rounds, racing), signature(compare_initializers).parameters
    settings = {
        **plan.settings(), **describe_inputs(estimator, X), "random_state": seed, "n_repeats": n_repeats,
        "versions": versions(), "training": describe_parameters(estimator, plan.varied), "hardware": hardware(),
        "n_threads": n_threads, "score_bounds": score_bounds(single_scorers(estimator, scoring), estimator),
        "call": call_as_code(builder, candidates, given | {"random_state": seed}, parameters),
        **(about or {}),
    }  # fmt: skip
    if has_classes:
        settings["classes"] = class_shares(whole.y)
    if cv is not None:
        settings["cv"] = storable(repr(cv))
    if scoring is not None:
        settings["scoring"] = shown(scoring)
    elif has_classes or is_regressor(estimator):
        settings["scoring"] = "accuracy" if has_classes else "r2"
    identity = identify(experiment, whole, plan.varied, random_state=seed, scoring=scoring, cv=cv)
    with nullcontext() if store is None else open_store(store, identity) as opened:
        result = plan.carry_out(settings, n_jobs, opened, progress)
    warn_of_missing_scores(result.runs, failing, stacklevel=2)
    if not (result.runs["status"] == "ok").any():
        first = brief(result.runs["reason"].iloc[0])
        message = f"no run gave a score (number of runs: {len(result.runs)}); reason of the first: {first}"
        if any(kind in first for kind in ("NaN", "infinity")):
            # A run knows neither the columns of the data nor the rows of other parts.
            parts = [describe_not_finite(whole.X), describe_not_finite(whole.X_val, "X_val")]
            message = "; ".join([message, *filter(None, parts)])
        warnings.warn(message, FitFailedWarning, stacklevel=2)
    return result


def _are_jobs(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value != 0


def _are_texts(value: Any) -> bool:
    known = isinstance(value, Mapping) and value.keys() <= {"dataset", "target_name", "command"}
    return known and all(isinstance(text, str) for text in value.values())


_CONSTRAINTS: dict[str, Constraint] = {
    "store": optional(allow(lambda value: isinstance(value, str | PathLike), "a path")),
    "about": optional(allow(_are_texts, "a dict with texts for 'dataset', 'target_name' and 'command'")),
    "n_jobs": optional(allow(_are_jobs, "an integer other than 0, -1 for all processors")),
    "n_repeats": integer(1),
    "n_threads": thread_count(),
    **dict.fromkeys(("racing", "activations", "progress"), boolean()),
}
