"""Run initializers over paired seeds."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from initsk.comparison._experiment import RunRecord, Task, run_one
from initsk.comparison._result import ComparisonResult
from initsk.exceptions import InvalidParameterError
from initsk.initializers import InitializerLike, get_initializer, initializer_name
from initsk.utils._random import RandomState, derive_seed, resolve_seed
from initsk.utils._validation import check_parameters, integer

ARTICLE_INITIALIZERS = ("zeros", "random_normal", "glorot_normal", "he_normal", "lecun_normal", "orthogonal")


class ComparisonInterrupted(KeyboardInterrupt):
    """A comparison was interrupted; `result` holds the runs that had finished.

    Attributes
    ----------
    result : ComparisonResult or None
        None if no run had finished.
    finished, planned : int
        Numbers of runs.
    """

    def __init__(self, result: ComparisonResult | None, finished: int, planned: int) -> None:
        super().__init__(f"interrupted with {finished} of {planned} runs finished")
        self.result = result
        self.finished = finished
        self.planned = planned


def compare_initializers(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    initializers: Sequence[InitializerLike] = ARTICLE_INITIALIZERS,
    X_test: Any = None,
    y_test: Any = None,
    n_repeats: int = 3,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: bool = False,
) -> ComparisonResult:
    """Compare initializers on one estimator, paired by construction.

    Under one repeat every initializer sees the same data, the same batches in the same
    order and common random numbers, so that differences between them are not noise of
    the seeds. Each run trains on one thread and several run at once, so the numbers do
    not depend on `n_jobs`. A run that fails or diverges is a row, not an exception.

    Parameters
    ----------
    estimator : MLPClassifier
        Cloned for every run; its `initializer`, `random_state` and `n_threads` are set.
    X : array-like of shape (n_samples, n_features)
        Training samples.
    y : array-like of shape (n_samples,)
        Labels.
    initializers : sequence of str, Initializer or callable
        What to compare; the article's six by default. Each once.
    X_test, y_test : array-like, optional
        Held-out data for scores and activations; without them a quarter of X, stratified
        and drawn by `random_state`, is held out.
    n_repeats : int, default=3
        Seeds per initializer.
    random_state : int, RandomState, Generator or None, default=0
        Seed that the runs' seeds derive from.
    n_jobs : int or None, default=None
        Runs at once, as joblib counts.
    progress : bool, default=False
        Show progress with the time left on standard error.

    Returns
    -------
    ComparisonResult

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed.
    ComparisonInterrupted
        On an interrupt; carries what had finished.

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
    check_parameters("compare_initializers", {"n_repeats": n_repeats}, {"n_repeats": integer(1)})
    resolved = {initializer_name(item): get_initializer(item) for item in initializers}
    if not resolved or len(resolved) < len(initializers):
        raise InvalidParameterError("compare_initializers: initializers must be at least one, each given once")
    seed = resolve_seed(random_state)
    if X_test is None:
        X, X_test, y, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed % 2**32)
    X, X_test = (np.asarray(part, dtype=np.float32) for part in (X, X_test))
    seeds = [derive_seed(seed, "repeat", repeat) % 2**31 for repeat in range(n_repeats)]
    tasks = [
        Task(label, initializer, repeat, seeds[repeat])
        for repeat in range(n_repeats)
        for label, initializer in resolved.items()
    ]
    settings = {"n_train": len(X), "n_test": len(X_test), "n_features": X.shape[1], "random_state": seed}
    settings["estimator"] = repr(estimator)
    records: list[RunRecord] = []
    labels = list(resolved)
    try:
        _run_all(estimator, tasks, (X, np.asarray(y), X_test, np.asarray(y_test)), n_jobs, progress, records)
    except KeyboardInterrupt as interrupt:
        partial = ComparisonResult.from_records(records, labels, settings) if records else None
        raise ComparisonInterrupted(partial, len(records), len(tasks)) from interrupt
    return ComparisonResult.from_records(records, labels, settings)


def _run_all(
    estimator: Any,
    tasks: list[Task],
    data: tuple[Any, ...],
    n_jobs: int | None,
    progress: bool,
    done: list[RunRecord],
) -> None:
    """Run every task, adding each record to `done` as soon as it is finished."""
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    finished = parallel(delayed(run_one)(estimator, task, *data) for task in tasks)
    # Runs at a fixed pace make "time left" simple: no smoothing towards the latest.
    with tqdm(total=len(tasks), desc="runs", unit="run", smoothing=0, file=sys.stderr, disable=not progress) as bar:
        for record in finished:
            done.append(record)
            bar.set_postfix_str(f"{record.task.label}: {record.score:.4f}" if record.status == "ok" else record.status)
            bar.update()
