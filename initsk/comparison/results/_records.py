"""What a run leaves: numbers and bytes that can be sent, stored and put into frames."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison.design._candidates import Candidate, without_addresses
from initsk.comparison.design._runs import RunKey, Task
from initsk.comparison.execution._layers import LayerMeasurements
from initsk.inspection import PackedBins, histograms_frame, statistics_frame

STATUS = ("ok", "diverged", "failed")
PHASES = ("initialized", "training", "trained")
#: Tables of what was measured in the layers, and what each is of.
MEASURED = {"layers": "activations", "gradients": "gradients", "weights": "weights"}
#: Tables of histograms, and what each is of.
BINS = {"histograms": "activations", "weight_histograms": "weights"}
# Fields that are numbers or words.
_PLAIN = ("seed", "split", "status", "reason", "val_ratio", "seconds", "fit_seconds", "seconds_per_epoch")


@dataclass
class RunRecord:
    """One finished run."""

    key: RunKey
    seed: int
    split: int
    status: str = "ok"
    reason: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    #: Held-out samples for each of those trained on.
    val_ratio: float = nan
    #: Rows of epoch, train_loss, val_loss, val_score.
    history: list[tuple[int, float, float, float]] = field(default_factory=list)
    #: By table, rows of phase, epoch and what `LayerMeasurements.rows` returns.
    measured: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {name: [] for name in MEASURED})
    #: By table, rows of phase, epoch and histogram.
    bins: dict[str, list[tuple[str, int, PackedBins]]] = field(default_factory=lambda: {name: [] for name in BINS})
    seconds: float = nan
    fit_seconds: float = nan
    seconds_per_epoch: float = nan

    @classmethod
    def of(cls, task: Task) -> "RunRecord":
        """Begin the record of a run."""
        return cls(task.key, task.block.seed, task.block.split)

    @property
    def score(self) -> float:
        """The first of the scores; NaN without any."""
        return next(iter(self.scores.values()), nan)

    def fail(self, status: str, reason: str) -> "RunRecord":
        """Say that the run gives no score, and why."""
        self.status, self.reason = status, without_addresses(reason)
        self.scores = dict.fromkeys(self.scores, nan)
        return self

    def add_layers(self, phase: str, epoch: int, layers: LayerMeasurements) -> None:
        """Keep what was measured in the layers."""
        for name, of in MEASURED.items():
            self.measured[name] += [(phase, epoch, *row) for row in layers.rows(of)]
        for name, of in BINS.items():
            self.bins[name] += [(phase, epoch, bins.packed()) for bins in layers.values.bins(of) if len(bins.counts)]

    def to_columns(self) -> dict[str, Any]:
        """Return what a store has columns for, beside the key; numbers come back exactly."""
        bins = {
            name: [(phase, epoch, b.layer, b.position, _text(b.edges), _text(b.counts)) for phase, epoch, b in rows]
            for name, rows in self.bins.items()
        }
        plain = {name: getattr(self, name) for name in _PLAIN}
        packed = {"scores": self.scores, "history": self.history, "measured": self.measured, "histograms": bins}
        return plain | {name: json.dumps(value) for name, value in packed.items()}

    @classmethod
    def from_columns(cls, key: RunKey, columns: Mapping[str, Any]) -> "RunRecord":
        """Read what `to_columns` wrote."""
        scores, history, measured, bins = (
            json.loads(columns[name]) for name in ("scores", "history", "measured", "histograms")
        )
        record = cls(key, **{name: columns[name] for name in _PLAIN}, scores=scores)
        record.history = [tuple(row) for row in history]
        record.measured = {name: [tuple(row) for row in rows] for name, rows in measured.items()}
        record.bins = {
            name: [
                (phase, epoch, PackedBins(layer, position, base64.b64decode(edges), base64.b64decode(counts)))
                for phase, epoch, layer, position, edges, counts in rows
            ]
            for name, rows in bins.items()
        }
        return record


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


TABLES = ("runs", "history", *MEASURED, *BINS, "timing")
_HISTORY = {"epoch": "int64", "train_loss": "float64", "val_loss": "float64", "val_score": "float64"}


def make_frames(records: Sequence[RunRecord], candidates: Sequence[Candidate]) -> dict[str, pd.DataFrame]:
    """Return the tables by name, in the order of the candidates, repeats and folds."""
    order = {candidate.key: i for i, candidate in enumerate(candidates)}
    records = sorted(records, key=lambda r: (order[r.key[0], r.key[1]], *r.key[2:]))
    keys = _keys(records, candidates)
    history = pd.DataFrame([row for record in records for row in record.history], columns=list(_HISTORY))
    timing = {name: [getattr(r, name) for r in records] for name in ("seconds", "fit_seconds", "seconds_per_epoch")}
    return {
        "runs": pd.concat([keys, _outcomes(records)], axis=1),
        "history": _beside(keys, [len(r.history) for r in records], history.astype(_HISTORY)),
        **{name: _measured(name, keys, records) for name in MEASURED},
        **{name: _histograms(name, keys, records) for name in BINS},
        "timing": pd.concat([keys, pd.DataFrame(timing, dtype="float64")], axis=1),
    }


def grid_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the parameters that were varied beside the initializer.

    Examples
    --------
    >>> grid_columns(pd.DataFrame(columns=["initializer", "lr", "repeat", "fold"]))
    ['lr']
    """
    columns = list(frame.columns)
    return columns[columns.index("initializer") + 1 : columns.index("repeat")]


def key_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns that tell a run from all others.

    Examples
    --------
    >>> key_columns(pd.DataFrame(columns=["initializer", "lr", "repeat", "fold", "score"]))
    ['initializer', 'lr', 'repeat', 'fold']
    """
    return ["initializer", *grid_columns(frame), "repeat", "fold"]


def _keys(records: Sequence[RunRecord], candidates: Sequence[Candidate]) -> pd.DataFrame:
    """Return what stands first in every table, a row per record."""
    by_key = {candidate.key: candidate for candidate in candidates}
    labels = list(dict.fromkeys(candidate.label for candidate in candidates))
    columns: dict[str, Any] = {"initializer": pd.Categorical([record.key[0] for record in records], categories=labels)}
    for name in candidates[0].setting:
        values = [by_key[record.key[0], record.key[1]].setting[name] for record in records]
        columns[name] = _column(values, [candidate.setting[name] for candidate in candidates])
    for i, name in ((2, "repeat"), (3, "fold")):
        columns[name] = np.array([record.key[i] for record in records], dtype="int64")
    return pd.DataFrame(columns)


def _column(values: Sequence[Any], every: Sequence[Any]) -> Any:
    """Return values of a grid as numbers, if every value of the grid is one, and otherwise as text."""
    dtype = pd.Series(list(every)).dtype
    return pd.Series(values, dtype=dtype) if dtype.kind in "biuf" else pd.Series([*map(str, values)], dtype="str")


def _measured(name: str, keys: pd.DataFrame, records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return a table of the layers: when, the statistics, and what theory expects of those that it speaks of."""
    rows = [row for record in records for row in record.measured[name]]
    statistics = statistics_frame([row[2:-1] for row in rows], MEASURED[name])
    if name != "weights":
        statistics["predicted_rms"] = np.array([row[-1] for row in rows], dtype="float64")
    frame = pd.concat([_moments([row[:2] for row in rows]), statistics], axis=1)
    return _beside(keys, [len(record.measured[name]) for record in records], frame)


def _histograms(name: str, keys: pd.DataFrame, records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return a table of histograms: when, and a row per bin."""
    parts = [part for record in records for part in record.bins[name]]
    frame = histograms_frame([bins.unpacked() for *_, bins in parts], BINS[name])
    moments = _repeated(_moments([part[:2] for part in parts]), [bins.n_bins for *_, bins in parts])
    counts = [sum(bins.n_bins for *_, bins in record.bins[name]) for record in records]
    return _beside(keys, counts, pd.concat([moments, frame], axis=1))


def _moments(pairs: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Return phase and epoch, a row each."""
    phases = pd.Categorical([phase for phase, _ in pairs], categories=list(PHASES))
    return pd.DataFrame({"phase": phases, "epoch": np.array([epoch for _, epoch in pairs], dtype="int64")})


def _outcomes(records: Sequence[RunRecord]) -> pd.DataFrame:
    names = list(dict.fromkeys(name for record in records for name in record.scores))
    columns: dict[str, Any] = {
        name: np.array([getattr(record, name) for record in records], dtype="int64") for name in ("seed", "split")
    }
    columns["val_ratio"] = np.array([record.val_ratio for record in records], dtype="float64")
    columns["epochs"] = np.array([len(record.history) for record in records], dtype="int64")
    columns["status"] = pd.Categorical([record.status for record in records], categories=list(STATUS))
    columns["reason"] = pd.Series([record.reason for record in records], dtype="str")
    columns["score"] = np.array([record.score for record in records], dtype="float64")
    for name in names if len(names) > 1 else []:
        values = [record.scores.get(name, np.nan) for record in records]
        columns[f"score_{name}"] = np.array(values, dtype="float64")
    return pd.DataFrame(columns)


def _beside(keys: pd.DataFrame, counts: Sequence[int], frame: pd.DataFrame) -> pd.DataFrame:
    """Repeat each row of `keys` so often beside the rows that belong to it."""
    return pd.concat([_repeated(keys, counts), frame], axis=1)


def _repeated(frame: pd.DataFrame, counts: Sequence[int]) -> pd.DataFrame:
    return frame.take(np.repeat(np.arange(len(frame)), counts)).reset_index(drop=True)
