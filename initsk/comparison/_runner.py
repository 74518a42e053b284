"""Run initializers over paired seeds."""

import sys
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

from initsk.comparison._data import check_data
from initsk.comparison._experiment import RunRecord, Task, run_one
from initsk.comparison._result import ComparisonResult
from initsk.estimators import MLPClassifier
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Initializer, InitializerLike, get_initializer, initializer_name
from initsk.utils._random import RandomState, derive_seed, resolve_seed
from initsk.utils._validation import check_parameters, integer

ARTICLE_INITIALIZERS = ("zeros", "random_normal", "glorot_normal", "he_normal", "lecun_normal", "orthogonal")


class ComparisonInterrupted(KeyboardInterrupt):
    """A comparison was interrupted, or a worker process died; `result` holds the runs that had finished.

    Attributes
    ----------
    reason : str
        "interrupted", or "a worker process died" (killed, or out of memory).
    result : ComparisonResult or None
        None if no run had finished.
    finished, planned : int
        Numbers of runs.
    """

    def __init__(self, reason: str, result: ComparisonResult | None, finished: int, planned: int) -> None:
        super().__init__(f"{reason} with {finished} of {planned} runs finished")
        self.reason = reason
        self.result = result
        self.finished = finished
        self.planned = planned


def compare_initializers(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    initializers: Iterable[InitializerLike] = ARTICLE_INITIALIZERS,
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
        Cloned for every run; its `initializer`, `random_state` and `n_threads` are set. Other
        estimators are refused.
    X : array-like of shape (n_samples, n_features)
        Training samples.
    y : array-like of shape (n_samples,)
        Labels.
    initializers : iterable of str, Initializer or callable
        What to compare; the article's six by default. Each once, under its name, its
        repr or the function's name.
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
        If a parameter is not allowed, or the data would make every run fail: missing values,
        parts that do not fit together, labels that only `y_test` holds.
    ComparisonInterrupted
        On an interrupt, or if a worker process dies; carries what had finished.

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
    resolved = _resolve(initializers)
    _check_estimator(estimator)
    seed = resolve_seed(random_state)
    data = check_data(X, y, X_test, y_test, seed)
    seeds = [derive_seed(seed, "repeat", repeat) % 2**31 for repeat in range(n_repeats)]
    tasks = [
        Task(label, initializer, repeat, seeds[repeat])
        for repeat in range(n_repeats)
        for label, initializer in resolved.items()
    ]
    settings = {
        "n_train": len(data[0]),
        "n_test": len(data[2]),
        "n_features": data[0].shape[1],
        "n_planned": len(tasks),
        "random_state": seed,
        "estimator": repr(estimator),
    }
    records: list[RunRecord] = []
    labels = list(resolved)
    try:
        _run_all(estimator, tasks, data, n_jobs, progress, records)
    except (KeyboardInterrupt, BrokenExecutor) as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else "a worker process died"
        partial = ComparisonResult.from_records(records, labels, settings) if records else None
        raise ComparisonInterrupted(reason, partial, len(records), len(tasks)) from error
    return ComparisonResult.from_records(records, labels, settings)


def _resolve(initializers: Iterable[InitializerLike]) -> dict[str, Initializer]:
    """Return the initializers under their labels; two functions of one name are numbered."""
    if isinstance(initializers, str | Initializer) or not isinstance(initializers, Iterable):
        raise InvalidParameterError(f"initializers={initializers!r} is not allowed (a list of at least one)")
    resolved: dict[str, Initializer] = {}
    for item in initializers:
        initializer, label = get_initializer(item), initializer_name(item)
        if initializer in resolved.values():
            raise InvalidParameterError(f"initializers must be each given once; {label} is there twice")
        same = sum(known == label or known.startswith(f"{label} (") for known in resolved)
        resolved[f"{label} ({same + 1})" if same else label] = initializer
    if not resolved:
        raise InvalidParameterError("initializers must be at least one")
    return resolved


def _check_estimator(estimator: Any) -> None:
    if not isinstance(estimator, MLPClassifier):
        raise InvalidParameterError(f"estimator={estimator!r} is not allowed (an MLPClassifier)")
    estimator.check_parameters()


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
