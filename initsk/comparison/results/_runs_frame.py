"""The tables of a comparison from a frame with a row for each run, made in any way."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison.design._candidates import Candidate, shown
from initsk.comparison.design._runs import RunKey
from initsk.comparison.results._frame_bounds import bounds_of_columns
from initsk.comparison.results._records import RunRecord, make_frames
from initsk.initializers import Initializer, initializer_name
from initsk.utils.validation import optional, real, refuse, unknown_name
from initsk.utils.words import counted

_OWNER = "from_frame"
_VALUES = ("train_loss", "val_loss", "val_score")


def tables_of_frame(
    frame: Any, names: Mapping[str, str | None], score: str | Sequence[str], grid: str | Sequence[str],
    history: Any, val_ratio: float | None, bounds: Any,
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:  # fmt: skip
    """Return the tables and the settings; `names` has the columns of initializer, repeat, fold and split.

    Raises
    ------
    InvalidParameterError
        With all mistakes.
    """
    scores, grid = _listed(score), _listed(grid)
    refuse(_OWNER, _column_problems(frame, names, scores, grid, val_ratio))
    score_bounds, problems = bounds_of_columns(frame, scores, bounds)
    # Repeat, fold and split have their own names by default.
    columns = {name: name if column is None else column for name, column in names.items()}
    columns = {name: column for name, column in columns.items() if column in frame}
    keyed = [columns[name] for name in ("initializer", "repeat", "fold") if name in columns] + grid
    keys = _rows(frame, keyed)
    problems += [*_key_problems(frame, keyed, keys, columns), *_history_problems(history, keyed, keys)]
    refuse(_OWNER, problems)
    units = {name: _numbered(frame, columns.get(name)) for name in ("repeat", "fold", "split")}
    units["split"] = units["split"] if "split" in columns else units["fold"]
    ratio = _ratio(units, val_ratio)
    values, settings, epochs = frame[scores].to_numpy("float64").tolist(), _rows(frame, grid), _epochs(history, keyed)
    candidates, records = [], []
    for row, key in enumerate(keys):
        candidate = Candidate(_label(key[0]), {}, dict(zip(grid, settings[row], strict=True)))
        repeat, fold, split = (int(units[name][row]) for name in ("repeat", "fold", "split"))
        record = RunRecord(RunKey(*candidate.key, repeat, fold), 0, split, val_ratio=ratio, history=epochs.get(key, []))
        record.set_scores(dict(zip(scores, values[row], strict=True)))
        candidates.append(candidate)
        records.append(record)
    n_repeats = len(set(units["repeat"].tolist()))
    about = {"source": _OWNER, "scoring": scores[0], "n_repeats": n_repeats, "n_planned": len(records)}
    about |= {"score_bounds": score_bounds, "splits_known": bool({"fold", "split"} & set(columns))}
    return make_frames(records, candidates), about


def _listed(names: str | Sequence[str]) -> list[str]:
    return list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [names]


def _column_problems(
    frame: Any, names: Mapping[str, str | None], scores: list[str], grid: list[str], val_ratio: Any
) -> list[str]:
    """Return what is wrong with the columns that the arguments name."""
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        what = "an empty DataFrame" if isinstance(frame, pd.DataFrame) else f"of type {type(frame).__name__}"
        return [f"frame is {what} (allowed: a DataFrame with a row for each run)"]
    found = list(map(str, frame.columns))
    if len(set(found)) < len(found):
        return [f"frame has several columns of the name {', '.join(n for n, k in Counter(found).items() if k > 1)}"]
    wanted = [(name, column) for name, column in names.items() if column is not None]
    wanted += [("score", column) for column in scores] + [("grid", column) for column in grid]
    problems = [f"{name}={column!r}: {unknown_name('column', column, found)}"
                for name, column in wanted if column not in found]  # fmt: skip
    if not scores:
        problems.append("score is empty (allowed: the names of one or more columns)")
    texts = [column for column in scores if column in found and frame[column].dtype.kind not in "biuf"]
    problems += [f"score={column!r} is a column of {frame[column].dtype} (allowed: numbers)" for column in texts]
    if all(names[name] is None and name not in found for name in ("repeat", "fold")):
        problems.append("frame has no column repeat or fold, which pair the runs; name one of them: repeat='seed'")
    if wrong := optional(real(above=0))(val_ratio):
        problems.append(f"val_ratio={val_ratio!r} is not allowed ({wrong})")
    return problems


def _key_problems(
    frame: pd.DataFrame, keyed: list[str], keys: list[tuple[Hashable, ...]], columns: Mapping[str, str]
) -> list[str]:  # fmt: skip
    """Return which cells are missing, and which run is there twice."""
    gaps = {column: int(frame[column].isna().sum()) for column in dict.fromkeys([*keyed, *columns.values()])}
    n_rows = counted(len(frame), "row")
    problems = [f"the column {column} has no value in {n} of {n_rows}" for column, n in gaps.items() if n]
    [(first, n)] = Counter(keys).most_common(1)
    if n > 1:
        run = ", ".join(f"{column} {value!r}" for column, value in zip(keyed, first, strict=True))
        hint = "name other parameters that vary with grid=, or the column of the seeds with repeat="
        problems.append(f"{n} rows are the same run ({run}); {hint}")
    return problems


def _history_problems(history: Any, keyed: list[str], keys: list[tuple[Hashable, ...]]) -> list[str]:
    if history is None:
        return []
    if not isinstance(history, pd.DataFrame):
        return [f"history is of type {type(history).__name__} (allowed: a DataFrame with a row for each run and epoch)"]
    missing = [column for column in [*keyed, "epoch"] if column not in history]
    if missing:
        return [f"history lacks the columns {', '.join(missing)}"]
    if not set(_VALUES) & set(history):
        return [f"history has no values (allowed: the columns {', '.join(_VALUES)})"]
    texts = [column for column in ("epoch", *_VALUES) if column in history and history[column].dtype.kind not in "iuf"]
    problems = [f"the column {column} of history has values that are not numbers" for column in texts]
    if not texts and not (history["epoch"] % 1 == 0).all():
        problems.append("the column epoch of history has values that are not whole numbers")
    found = _rows(history, keyed)
    unknown = [key for key in dict.fromkeys(found) if key not in set(keys)]
    if unknown:
        problems.append(f"history has a run that frame does not have: {dict(zip(keyed, unknown[0], strict=True))}")
    if max(Counter(zip(found, history["epoch"], strict=True)).values(), default=0) > 1:
        problems.append("history has an epoch of a run twice")
    return problems


def _rows(frame: pd.DataFrame, columns: list[str]) -> list[tuple[Hashable, ...]]:
    """Return the cells of these columns, a tuple for each row."""
    cells = [[shown(value) for value in frame[column]] for column in columns]
    return list(zip(*cells, strict=True)) if columns else [()] * len(frame)


def _label(value: Any) -> str:
    return initializer_name(value) if isinstance(value, Initializer) else str(value)


def _numbered(frame: pd.DataFrame, column: str | None) -> np.ndarray:
    """Return whole numbers: those of a column, or the places of its values in the order of appearance; or zeros."""
    if column is None:
        return np.zeros(len(frame), "int64")
    values = frame[column]
    return values.to_numpy("int64") if values.dtype.kind in "iu" else pd.factorize(values)[0]


def _ratio(units: Mapping[str, np.ndarray], given: float | None) -> float:
    """Return the number of validation samples for each training sample, by default from the number of folds."""
    n_folds, n_splits = (len(np.unique(units[name])) for name in ("fold", "split"))
    if given is not None:
        return float(given)
    if n_folds == 1 and n_splits > 1:
        refuse(_OWNER, ["splits without folds need val_ratio=, the number of validation samples per training sample"])
    return 1 / (n_folds - 1) if n_folds > 1 else np.nan


def _epochs(history: pd.DataFrame | None, keyed: list[str]) -> dict[tuple[Hashable, ...], list[list[float]]]:
    """Return the rows of the history of each run: epoch, train_loss, val_loss, val_score."""
    if history is None:
        return {}
    values = history.reindex(columns=["epoch", *_VALUES]).to_numpy("float64")
    epochs: dict[tuple[Hashable, ...], list[list[float]]] = {}
    for key, row in zip(_rows(history, keyed), values.tolist(), strict=True):
        epochs.setdefault(key, []).append(row)
    return {key: sorted(rows) for key, rows in epochs.items()}
