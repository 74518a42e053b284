"""The record of a run, as a store keeps it, and the frames made from all records."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import isfinite, nan
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison.design._candidates import Candidate, storable
from initsk.comparison.design._runs import RunKey, Task
from initsk.comparison.execution._monitor import DRAWN, LayerMeasurements
from initsk.inspection import PackedBins, histograms_frame, statistics_frame

STATUS = ("ok", "diverged", "failed")
PHASES = ("initialized", "training", "trained")
#: Tables with statistics of layers, and what each measures.
STATISTICS = {"layers": "activations", "gradients": "gradients", "weights": "weights"}
# What a row of each table has after the statistics, and the types.
_EXPECTED = {name: DRAWN if name == "weights" else {"predicted_rms": "float64"} for name in STATISTICS}
#: Tables of histograms, and what each counts.
HISTOGRAMS = {"histograms": "activations", "weight_histograms": "weights"}
TABLES = ("runs", "history", *STATISTICS, *HISTOGRAMS, "timing")
_RUNS = {
    "seed": "int64", "split": "int64", "val_ratio": "float64", "epochs": "int64",
    "status": pd.CategoricalDtype(list(STATUS)), "reason": "str", "no_layers": "str", "score": "float64",
    "baseline_score": "float64",
}  # fmt: skip
_HISTORY = {"epoch": "int64", "train_loss": "float64", "val_loss": "float64", "val_score": "float64"}
# The columns of summaries, of tables of pairs and of reports, besides the keys and the grid.
_OF_SUMMARIES = (
    "experiment", "rank", "mean_score", "std_score", "low", "high", "n", "n_paired", "difference_to_best",
    "difference_low", "difference_high", "effect_size", "p_value", "p_equivalence", "margin", "conclusion",
    "significant", "n_needed", "epochs_to_target", "seconds_to_target", "area_under_curve", "n_runs", "n_failed",
    "n_diverged", "no_score", "outcome",
)  # fmt: skip
_TIMING = dict.fromkeys(("seconds", "fit_seconds", "seconds_per_epoch"), "float64")
# The fields of a record that a store keeps as they are, and those that it keeps as JSON.
_PLAIN = ("seed", "split", "status", "reason", "no_layers", "val_ratio", *_TIMING)
_NESTED = ("scores", "baseline", "history", "statistics", "histograms")


@dataclass
class RunRecord:
    """One finished run."""

    key: RunKey
    seed: int
    split: int
    status: str = "ok"
    reason: str = ""
    #: Why no layer was measured; empty if layers were, or if they were not to be measured.
    no_layers: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    #: The scores of the baseline in the same round.
    baseline: dict[str, float] = field(default_factory=dict)
    #: Number of validation samples for each training sample.
    val_ratio: float = nan
    #: Rows of epoch, train_loss, val_loss, val_score.
    history: Sequence[Sequence[float]] = ()
    #: For each table, rows of phase, epoch and what `LayerMeasurements.rows` returns.
    statistics: dict[str, list[Sequence[Any]]] = field(default_factory=lambda: {name: [] for name in STATISTICS})
    #: For each table, rows of phase, epoch and histogram.
    histograms: dict[str, list[tuple[str, int, PackedBins]]] = field(
        default_factory=lambda: {name: [] for name in HISTOGRAMS}
    )
    seconds: float = nan
    fit_seconds: float = nan
    seconds_per_epoch: float = nan

    @classmethod
    def of(cls, task: Task) -> "RunRecord":
        """Begin the record of a run."""
        return cls(task.key, task.round.seed, task.round.split)

    @property
    def epochs(self) -> int:
        """The number of epochs in the history."""
        return len(self.history)

    @property
    def score(self) -> float:
        """The first of the scores; NaN without any."""
        return next(iter(self.scores.values()), nan)

    @property
    def baseline_score(self) -> float:
        """The baseline's score by the first scorer; NaN without any."""
        return next(iter(self.baseline.values()), nan)

    def fail(self, status: str, reason: str) -> "RunRecord":
        """Set a status and its reason, and the scores to NaN."""
        self.status, self.reason = status, storable(reason)
        self.scores = dict.fromkeys(self.scores, nan)
        return self

    def set_scores(self, scores: Mapping[str, float], reasons: Mapping[str, str] | None = None) -> None:
        """Set the scores; a scorer without a finite score gives NaN, and a run without any has failed."""
        missing = [name for name, score in scores.items() if not isfinite(score)]
        self.scores = dict(scores) | dict.fromkeys(missing, nan)
        found = {name: (reasons or {}).get(name, "a score is not finite") for name in missing}
        if len(missing) == len(scores):
            self.fail("failed", next(iter(found.values()), "there is no score"))
        elif missing:
            self.reason = storable("; ".join(f"{name}: {reason}" for name, reason in found.items()))

    def add_layers(self, phase: str, epoch: int, layers: LayerMeasurements) -> None:
        """Add the measurements of one moment."""
        for name, of in STATISTICS.items():
            self.statistics[name] += [(phase, epoch, *row) for row in layers.rows(of)]
        for name, of in HISTOGRAMS.items():
            self.histograms[name] += [(phase, epoch, bins) for bins in layers.values.bins(of)]

    def to_columns(self) -> dict[str, Any]:
        """Return the columns of a store other than the key; numbers come back exactly."""
        nested = {name: json.dumps(getattr(self, name), default=_encoded) for name in _NESTED}
        return {name: getattr(self, name) for name in _PLAIN} | nested

    @classmethod
    def from_columns(cls, key: RunKey, columns: Mapping[str, Any]) -> "RunRecord":
        """Return the record that `to_columns` wrote."""
        nested = {name: json.loads(columns[name]) for name in _NESTED}
        record = cls(key, **{name: columns[name] for name in _PLAIN}, **nested)
        for rows in record.histograms.values():
            rows[:] = [
                (phase, epoch, PackedBins(layer, position, base64.b64decode(edges), base64.b64decode(counts)))
                for phase, epoch, (layer, position, edges, counts) in rows
            ]
        return record


def _encoded(data: bytes) -> str:
    """Return the bytes of a histogram as text, which JSON can hold."""
    return base64.b64encode(data).decode("ascii")


def make_frames(records: Sequence[RunRecord], candidates: Sequence[Candidate]) -> dict[str, pd.DataFrame]:
    """Return the tables by name, in the order of the candidates, repeats and folds."""
    order = {candidate.key: i for i, candidate in enumerate(candidates)}
    records = sorted(records, key=lambda record: (order[record.key.candidate], record.key.repeat, record.key.fold))
    keys = _keys(records, candidates)
    names = list(dict.fromkeys(name for record in records for name in record.scores))
    scores = {f"score_{name}": [record.scores.get(name, nan) for record in records] for name in names}
    scores |= {f"baseline_score_{name}": [record.baseline.get(name, nan) for record in records] for name in names}
    several = pd.DataFrame(scores if len(names) > 1 else {}, index=keys.index, dtype="float64")
    history = pd.DataFrame([row for record in records for row in record.history], columns=list(_HISTORY))
    return {
        "runs": pd.concat([keys, _attributes(records, _RUNS), several], axis=1),
        "history": _with_keys(keys, [record.epochs for record in records], history.astype(_HISTORY)),
        **{name: _statistics(name, keys, records) for name in STATISTICS},
        **{name: _histograms(name, keys, records) for name in HISTOGRAMS},
        "timing": pd.concat([keys, _attributes(records, _TIMING)], axis=1),
    }


@cache
def empty_tables() -> dict[str, pd.DataFrame]:
    """Return the tables of a comparison without rows, for their columns and types."""
    return make_frames([], [Candidate("", {}, {})])


def setting_columns(names: Iterable[str]) -> dict[str, str]:
    """Return the column of each parameter of a grid: its name, after ``param_`` if other columns have this name.

    Examples
    --------
    >>> setting_columns(["alpha", "rank"])
    {'alpha': 'alpha', 'rank': 'param_rank'}
    """
    names = list(names)
    own, columns = {name for name in names if not _is_taken(name)}, {}
    for name in names:
        column = name
        while _is_taken(column) or (column != name and column in own):
            column = f"param_{column}"
        columns[name] = column
    return columns


def _is_taken(column: str) -> bool:
    """Return whether a table or a summary has a column of this name, whatever the grid is."""
    taken = column in _OF_SUMMARIES or any(column in frame for frame in empty_tables().values())
    return taken or column.startswith(("score_", "baseline_score_"))


def grid_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the parameters that vary besides the initializer.

    Examples
    --------
    >>> grid_columns(pd.DataFrame(columns=["initializer", "lr", "repeat", "fold"]))
    ['lr']
    """
    columns = list(frame.columns)
    return columns[columns.index("initializer") + 1 : columns.index("repeat")]


def score_names(runs: pd.DataFrame) -> list[str]:
    """Return the names of several scorers, the one that ranks first; without several, there are none.

    Examples
    --------
    >>> score_names(pd.DataFrame(columns=["score", "score_accuracy", "score_f1"]))
    ['accuracy', 'f1']
    """
    return [name.removeprefix("score_") for name in map(str, runs) if name.startswith("score_")]


def error_name(scorer: str) -> str:
    """Return what a scorer of scikit-learn gives with a minus sign, so that high scores are good; "" if none.

    Examples
    --------
    >>> error_name("neg_mean_absolute_error"), error_name("r2")
    ('mean_absolute_error', '')
    """
    return scorer.removeprefix("neg_") if scorer.startswith("neg_") else ""


def missing_runs(runs: pd.DataFrame, settings: Mapping[str, Any]) -> int:
    """Return the number of planned runs that have not finished, without those that racing saved.

    Examples
    --------
    >>> missing_runs(pd.DataFrame(index=range(3)), {"n_planned": 5, "racing": {"runs_saved": 1}})
    1
    """
    saved = settings.get("racing", {"runs_saved": 0})["runs_saved"]
    return max(settings.get("n_planned", 0) - saved - len(runs), 0)


def grid_names(names: list[str]) -> dict[str, str]:
    """Return how tables name the parameters of a grid: without the steps of a pipeline, where that leaves no doubt.

    A short name is not that of a column of a summary.

    Examples
    --------
    >>> grid_names(["network__lr", "alpha"]), grid_names(["first__lr", "second__lr"])
    ({'network__lr': 'lr', 'alpha': 'alpha'}, {'first__lr': 'first__lr', 'second__lr': 'second__lr'})
    """
    short = {name: name.rpartition("__")[2] for name in names}
    counts = Counter(short.values())
    return {name: own if counts[own] == 1 and own not in _OF_SUMMARIES else name for name, own in short.items()}


def key_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns that identify a run.

    Examples
    --------
    >>> key_columns(pd.DataFrame(columns=["initializer", "lr", "repeat", "fold", "score"]))
    ['initializer', 'lr', 'repeat', 'fold']
    """
    return ["initializer", *grid_columns(frame), "repeat", "fold"]


def _keys(records: Sequence[RunRecord], candidates: Sequence[Candidate]) -> pd.DataFrame:
    """Return the first columns of every table, a row for each record."""
    by_key = {candidate.key: candidate for candidate in candidates}
    labels = list(dict.fromkeys(candidate.label for candidate in candidates))
    names = pd.Categorical([record.key.initializer for record in records], categories=labels)
    columns: dict[str, Any] = {"initializer": names}
    for name, column in setting_columns(candidates[0].setting).items():
        values = [by_key[record.key.candidate].setting[name] for record in records]
        columns[column] = _grid_column(values, [candidate.setting[name] for candidate in candidates])
    units = _attributes([record.key for record in records], {"repeat": "int64", "fold": "int64"})
    return pd.concat([pd.DataFrame(columns), units], axis=1)


def _attributes(items: Sequence[Any], types: Mapping[str, Any]) -> pd.DataFrame:
    """Return a row for each item, with the attributes that `types` names as columns of these types."""
    return pd.DataFrame({name: [getattr(item, name) for item in items] for name in types}).astype(types)


def _grid_column(values: Sequence[Any], choices: Sequence[Any]) -> Any:
    """Return values of a grid as numbers if every value of the grid is a number, and otherwise as text."""
    dtype = pd.Series(list(choices)).dtype
    return pd.Series(values, dtype=dtype) if dtype.kind in "biuf" else pd.Series([*map(str, values)], dtype="str")


def _statistics(name: str, keys: pd.DataFrame, records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return a table of the layers: phase, epoch, statistics and what was expected."""
    rows = [row for record in records for row in record.statistics[name]]
    types = _EXPECTED[name]
    statistics = statistics_frame([row[2 : -len(types)] for row in rows], STATISTICS[name])
    expected = pd.DataFrame([row[-len(types) :] for row in rows], columns=list(types)).astype(types)
    frame = pd.concat([_phases([row[:2] for row in rows]), statistics, expected], axis=1)
    return _with_keys(keys, [len(record.statistics[name]) for record in records], frame)


def _histograms(name: str, keys: pd.DataFrame, records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return a table of histograms: phase, epoch, and a row for each bin."""
    rows = [row for record in records for row in record.histograms[name]]
    frame = histograms_frame([bins for *_, bins in rows], HISTOGRAMS[name])
    phases = _repeat_rows(_phases([row[:2] for row in rows]), [bins.n_bins for *_, bins in rows])
    counts = [sum(bins.n_bins for *_, bins in record.histograms[name]) for record in records]
    return _with_keys(keys, counts, pd.concat([phases, frame], axis=1))


def _phases(pairs: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return the columns phase and epoch."""
    phases = pd.Categorical([phase for phase, _ in pairs], categories=list(PHASES))
    return pd.DataFrame({"phase": phases, "epoch": np.array([epoch for _, epoch in pairs], dtype="int64")})


def _with_keys(keys: pd.DataFrame, counts: Sequence[int], frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the keys as first columns, each row of `keys` repeated by its count."""
    return pd.concat([_repeat_rows(keys, counts), frame], axis=1)


def _repeat_rows(frame: pd.DataFrame, counts: Sequence[int]) -> pd.DataFrame:
    return frame.take(np.repeat(np.arange(len(frame)), counts)).reset_index(drop=True)
