"""What a run leaves: numbers and bytes that can be sent, stored and put into frames."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any

from initsk.comparison._candidates import without_addresses
from initsk.comparison._design import RunKey, Task
from initsk.comparison._look import Look
from initsk.inspection import PackedBins

STATUS = ("ok", "diverged", "failed")
PHASES = ("initialized", "training", "trained")
#: Tables of what was measured in the layers, and what each is of.
MEASURED = {"layers": "activations", "gradients": "gradients", "weights": "weights"}
# Fields that are numbers or words.
_PLAIN = ("seed", "split", "status", "reason", "test_ratio", "seconds", "fit_seconds", "seconds_per_epoch")


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
    test_ratio: float = nan
    #: Rows of epoch, train_loss, test_loss, test_score.
    history: list[tuple[int, float, float, float]] = field(default_factory=list)
    #: By table, rows of phase, epoch and what `Look.rows` returns.
    measured: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {name: [] for name in MEASURED})
    #: Phase, epoch and histogram.
    bins: list[tuple[str, int, PackedBins]] = field(default_factory=list)
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

    def add_look(self, phase: str, epoch: int, look: Look) -> None:
        """Keep what a look at the layers found."""
        for name, of in MEASURED.items():
            self.measured[name] += [(phase, epoch, *row) for row in look.rows(of)]
        found = [*look.values.bins("activations"), *look.values.bins("weights")]
        self.bins += [(phase, epoch, bins.packed()) for bins in found if len(bins.counts)]

    def to_columns(self) -> dict[str, Any]:
        """Return what a store has columns for, beside the key; numbers come back exactly."""
        bins = [(phase, epoch, b.layer, b.site, _text(b.edges), _text(b.counts)) for phase, epoch, b in self.bins]
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
        record.bins = [
            (phase, epoch, PackedBins(layer, site, base64.b64decode(edges), base64.b64decode(counts)))
            for phase, epoch, layer, site, edges, counts in bins
        ]
        return record


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
