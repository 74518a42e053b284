"""The bounds of the scores in a frame of runs: given, or those of the scorer that a column is named after."""

from collections.abc import Mapping, Sequence
from math import inf, isnan
from numbers import Real
from typing import Any

import pandas as pd

from initsk.comparison.design._bounds import ScoreBounds, bounds_by_column, bounds_of_name
from initsk.utils.validation import unknown_name

_ALLOWED = "(lowest, highest), with None where there is no bound"


def bounds_of_columns(
    frame: pd.DataFrame, scores: Sequence[str], given: Any
) -> tuple[dict[str, ScoreBounds], list[str]]:
    """Return the bounds of each column of scores, as ``settings["score_bounds"]`` has them, and what is wrong."""
    known = given if isinstance(given, Mapping) else {} if given is None else {scores[0]: given}
    problems = [f"bounds: {unknown_name('column', name, scores)}" for name in known if name not in scores]
    if given is not None and not isinstance(given, Mapping) and len(scores) > 1:
        problems.append(f"bounds={given!r} is not allowed (with several scores: a dict by column)")
    found: dict[str, ScoreBounds] = {}
    for name in scores:
        if name not in known:
            bounds = bounds_of_name(name)
            # Accuracies in per cent are not those of scikit-learn.
            found[name] = bounds if _outside(frame[name], bounds).empty else [None, None]
            continue
        if not _is_pair(known[name]):
            problems.append(f"bounds={given!r} is not allowed ({_ALLOWED})")
            continue
        found[name] = [None if end is None or abs(end) == inf else float(end) for end in known[name]]
        outside = _outside(frame[name], found[name])
        if len(outside):
            problems.append(f"bounds={given!r}: the column {name} has a score of {outside.iloc[0]:g} outside of them")
    return (bounds_by_column(found) if found else {}), problems


def _is_pair(given: Any) -> bool:
    if not isinstance(given, tuple | list) or len(given) != 2:
        return False
    if any(end is not None and (not isinstance(end, Real) or isnan(end)) for end in given):
        return False
    low, high = (end if value is None else value for value, end in zip(given, (-inf, inf), strict=True))
    return bool(low < high)


def _outside(scores: pd.Series, bounds: ScoreBounds) -> pd.Series:
    """Return the scores outside of the bounds."""
    low, high = (end if value is None else value for value, end in zip(bounds, (-inf, inf), strict=True))
    return scores[(scores < low) | (scores > high)]
