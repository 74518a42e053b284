"""The tables of a comparison from a finished search of scikit-learn."""

from typing import Any

import pandas as pd

from initsk.comparison.design._bounds import score_bounds
from initsk.comparison.design._candidates import Candidate, shown, storable
from initsk.comparison.design._model_builder import takes_initializer
from initsk.comparison.design._runs import RunKey
from initsk.comparison.results._records import RunRecord, make_frames
from initsk.exceptions import InvalidParameterError
from initsk.initializers import initializer_name
from initsk.utils.random import is_random_state
from initsk.utils.validation import check_parameters, optional, real, unknown_name

# The test_size of scikit-learn's shuffling splitters without test_size is 0.1, except:
_DEFAULT_TEST_SIZE = {"GroupShuffleSplit": 0.2}


def tables_of_search(
    search: Any, parameter: str | None, val_ratio: float | None
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables and the settings."""
    check_parameters("from_search", {"val_ratio": val_ratio}, {"val_ratio": optional(real(above=0))})
    results = getattr(search, "cv_results_", None)
    if results is None:
        allowed = "a fitted GridSearchCV, or a search like it"
        raise InvalidParameterError(f"search={type(search).__name__} is not allowed ({allowed})")
    rows = list(range(len(results["params"])))
    if "iter" in results:
        rows = [row for row in rows if results["iter"][row] == max(results["iter"])]
    name = _compared_parameter(results["params"], parameter)
    params = [results["params"][row] for row in rows]
    names = [other for other in dict.fromkeys(key for given in params for key in given) if other != name]
    # Values of a random state are repeats, not settings.
    states = [other for other in names if is_random_state(other)]
    candidates = [_candidate(given, name, [other for other in names if other not in states]) for given in params]
    seeds = [tuple(shown(given[key]) for key in states if key in given) for given in params]
    repeats = {seed: repeat for repeat, seed in enumerate(dict.fromkeys(seeds))}
    ratio = _val_ratio(search) if val_ratio is None else val_ratio
    scores = _score_names(search)
    records = [
        _record(results, row, RunKey(*candidate.key, repeats[seed], fold), seed, scores, ratio)
        for row, candidate, seed in zip(rows, candidates, seeds, strict=True)
        for fold in range(search.n_splits_)
    ]
    scorers = {name: search.scorer_[name] if search.multimetric_ else search.scorer_ for name in scores}
    settings = {
        "estimator": storable(repr(search.estimator)), "parameter": name, "search": type(search).__name__,
        "n_repeats": len(repeats), "n_planned": len(records), "scoring": scores[0] if search.multimetric_ else None,
        "score_bounds": score_bounds(scorers, search.estimator),
    }  # fmt: skip
    return make_frames(records, candidates), {key: value for key, value in settings.items() if value is not None}


def _compared_parameter(params: list[dict[str, Any]], parameter: str | None) -> str:
    names = list(dict.fromkeys(name for given in params for name in given))
    if parameter is None:
        found = [name for name in names if name.rpartition("__")[2] == "initializer"]
        if len(found) != 1:
            which = f"several: {', '.join(found)}" if found else f"none; searched: {', '.join(names)}"
            raise InvalidParameterError(f"which parameter is the initializer ({which})? Name one with parameter=")
        return found[0]
    if parameter not in names:
        raise InvalidParameterError(unknown_name("parameter", parameter, names))
    return parameter


def _candidate(params: dict[str, Any], name: str, others: list[str]) -> Candidate:
    value = params[name]
    label = initializer_name(value) if takes_initializer(name) and value is not None else str(shown(value))
    # In a list of grids, each may vary other parameters.
    return Candidate(label, {}, {other: shown(params[other]) if other in params else "" for other in others})


def _score_names(search: Any) -> list[str]:
    """Return the names of the scores in ``cv_results_``; the first is the one that ranked."""
    if not search.multimetric_:
        return ["score"]
    names = list(search.scorer_)
    first = search.refit if isinstance(search.refit, str) else names[0]
    return [first, *(name for name in names if name != first)]


def _record(
    results: dict[str, Any], row: int, key: RunKey, seeds: tuple[Any, ...], scores: list[str], ratio: float
) -> RunRecord:
    seed = next((seed for seed in seeds if isinstance(seed, int)), 0)
    seconds = float(results["mean_fit_time"][row])
    record = RunRecord(key, seed, split=key.fold, val_ratio=ratio, fit_seconds=seconds)
    record.no_layers = "a search keeps no trained networks"
    values = {name: float(results[f"split{key.fold}_test_{name}"][row]) for name in scores}
    record.set_scores(values, dict.fromkeys(scores, "the search has no score"))
    record.seconds = record.fit_seconds + float(results["mean_score_time"][row])
    return record


def _val_ratio(search: Any) -> float:
    """Return the number of validation samples for each training sample, from the attributes of the splitter."""
    cv = search.cv
    if "Shuffle" in type(cv).__name__ and hasattr(cv, "test_size"):
        size = _DEFAULT_TEST_SIZE.get(type(cv).__name__, 0.1) if cv.test_size is None else cv.test_size
        if not 0 < size < 1:
            raise InvalidParameterError(f"test_size={size!r} of {cv!r} is not a fraction; give val_ratio=")
        return float(size / (1 - size))
    folds = getattr(cv, "cvargs", {}).get("n_splits", search.n_splits_)
    if folds < 2:
        raise InvalidParameterError(f"the search has {folds} split; a test needs at least two")
    return 1 / (folds - 1)
