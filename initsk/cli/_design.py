"""How ``initsk compare`` divides the samples and scores the runs."""

from typing import Any

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from initsk.cli._checks import check_classes
from initsk.cli._samples import Samples
from initsk.comparison.design import hold_out
from initsk.exceptions import InvalidParameterError
from initsk.utils.columns import text_among_numbers
from initsk.utils.labels import has_majority
from initsk.utils.validation import unknown_name
from initsk.utils.words import counted

_HELD_OUT = 0.25
# So many whole numbers are classes without doubt.
_FEW_CLASSES = 10


def divide(samples: Samples, regression: bool, options: dict[str, Any]) -> tuple[Samples, Any]:
    """Return the samples with at most ``--limit`` training samples, and the splitter or None for held-out samples.

    Raises
    ------
    InvalidParameterError
        If the samples cannot be divided in this way.
    """
    folds, limit, seed = options["cv"], options["limit"], options["random_state"]
    y_val = samples.y_val
    if y_val is not None:
        if folds is not None:
            raise InvalidParameterError(f"--cv {folds} is for data without a test set; these have one")
        samples = _limited(samples, limit, seed)
        _check_varies(samples.y)
        if not regression:
            check_classes((samples.X, samples.y, samples.X_val, y_val), limit, options.get("test"))
        return samples, None
    # Its messages name the classes and rows that make a split impossible.
    hold_out(samples.y, samples.y, seed, stratify=not regression)
    _check_varies(samples.y)
    if folds is not None and limit is not None:
        samples = _limited(samples, -(-limit * folds // (folds - 1)), seed)
    if not regression:
        _check_counts(samples.y, folds, limit)
    if folds is not None:
        return samples, folds
    kind = ShuffleSplit if regression else StratifiedShuffleSplit
    n_train = len(samples.y) - int(np.ceil(_HELD_OUT * len(samples.y)))
    return samples, kind(1, test_size=_HELD_OUT, train_size=None if limit is None else min(limit, n_train))


def _check_varies(y: np.ndarray) -> None:
    if len(np.unique(y)) == 1:
        found = f"the target is {y[:1].tolist()[0]!r} in every training sample"
        raise InvalidParameterError(f"{found}, and there is nothing to predict (allowed: at least two values)")


def _check_counts(y: np.ndarray, folds: int | None, limit: int | None) -> None:
    classes, counts = np.unique(y, return_counts=True)
    if limit is not None and limit < len(classes):
        lacks = f"--limit {limit} leaves {counted(limit, 'training sample')}: use more"
        raise InvalidParameterError(f"{lacks} (the target has {counted(len(classes), 'class', 'classes')})")
    if folds is not None and counts.min() < folds:
        rare = f"the class {classes[counts.argmin() :].tolist()[0]!r} has {counted(int(counts.min()), 'sample')}"
        raise InvalidParameterError(f"--cv {folds}: {rare} (allowed: at most as many folds as samples of a class)")


def _limited(samples: Samples, limit: int | None, seed: int) -> Samples:
    if limit is None or limit >= len(samples.y):
        return samples
    rows = np.sort(np.random.default_rng(seed).permutation(len(samples.y))[:limit])
    X = samples.X.iloc[rows] if hasattr(samples.X, "iloc") else samples.X[rows]
    return samples._replace(X=X, y=samples.y[rows])


def scorers(scoring: str | None, regression: bool) -> list[str] | str | None:
    """Return the names of the scorers as `compare_initializers` takes them; None is the estimator's own score."""
    if scoring is None:
        return ["r2", "neg_root_mean_squared_error"] if regression else None
    names = [name.strip() for name in scoring.split(",") if name.strip()]
    return names[0] if len(names) == 1 else names


def check_scoring_names(scoring: str | None) -> None:
    """Raise InvalidParameterError unless scikit-learn has scorers of all these names."""
    names = [] if scoring is None else [name.strip() for name in scoring.split(",") if name.strip()]
    if scoring is not None and not names:
        raise InvalidParameterError(f"--scoring {scoring!r} has no name (allowed: such as accuracy)")
    unknown = [unknown_name("scorer", name, get_scorer_names()) for name in names if name not in get_scorer_names()]
    if unknown:
        raise InvalidParameterError(f"--scoring: {'; '.join(unknown)}")


def describe_imbalance(y: np.ndarray, scoring: list[str] | str | None, y_val: np.ndarray | None = None) -> str:
    """Return why accuracy misleads for these classes, or "" if it does not, or another score ranks.

    `y_val` has the held-out targets, if the data have a part for them.

    Examples
    --------
    >>> describe_imbalance(np.array([0, 0, 0, 0, 1]), None)
    '80 % of the samples have the class 0, so a model that always predicts it has an accuracy of 0.80; with --scoring
    balanced_accuracy, every class counts alike'
    """
    ranking = scoring[0] if isinstance(scoring, list) else scoring
    classes, counts = np.unique(y, return_counts=True)
    if ranking not in (None, "accuracy") or not has_majority(counts):
        return ""
    share, most = counts.max() / len(y), classes[counts.argmax() :].tolist()[0]
    samples, accuracy = "samples", f"{share:.2f}"
    if y_val is not None:
        samples, accuracy = "training samples", f"{np.mean(y_val == most):.2f} on the held-out samples"
    return (
        f"{100 * share:.0f} % of the {samples} have the class {most!r}, so a model that always predicts it has an"
        f" accuracy of {accuracy}; with --scoring balanced_accuracy, every class counts alike"
    )


def describe_task(y: np.ndarray, regression: bool) -> str:
    """Return what the numbers of a target are taken for, or "" if there is no doubt."""
    n_values = len(np.unique(y))
    if regression:
        found = "the target has numbers to predict: regression"
        are_whole = bool((y % 1 == 0).all())
        return f"{found} (--task classification takes whole numbers for classes)" if are_whole else found
    if y.dtype.kind in "iuf" and n_values > _FEW_CLASSES:
        return f"the target has {n_values} whole numbers: classes (--task regression takes them for numbers to predict)"
    if text := text_among_numbers(y):
        return f"nearly all values of the target are numbers, but {text}: classes"
    return ""
