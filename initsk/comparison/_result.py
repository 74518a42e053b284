"""What a comparison found, as tidy frames."""

from pathlib import Path
from typing import Any

import pandas as pd

from initsk.comparison._experiment import RunRecord
from initsk.comparison._statistics import summarize_scores
from initsk.utils._files import write_atomic

TABLES = ("runs", "history", "layers", "histograms", "timing")
_KEYS = ["initializer", "repeat"]


class ComparisonResult:
    """Initializers compared; made by `compare_initializers`.

    Parameters
    ----------
    frames : dict of str to DataFrame
        The five tables below.
    settings : dict
        What was run, as text and numbers.

    Attributes
    ----------
    runs : DataFrame
        A row per run: initializer, repeat, seed, status ("ok", "diverged" or "failed"),
        reason, score on the held-out data (NaN unless "ok").
    history : DataFrame
        A row per run and epoch: train_loss, test_loss, test_score.
    layers : DataFrame
        A row per run, phase ("initialized" or "trained"), layer and site; columns as
        `ActivationSummary.to_frame`, over the held-out samples.
    histograms : DataFrame
        A row per run, phase, layer, site and bin: left, right, count, density.
    timing : DataFrame
        A row per run: seconds in all, and seconds per epoch; apart, since it differs every time.
    settings : dict
        What was run.
    """

    def __init__(self, frames: dict[str, pd.DataFrame], settings: dict[str, Any] | None = None) -> None:
        self.runs = frames["runs"]
        self.history = frames["history"]
        self.layers = frames["layers"]
        self.histograms = frames["histograms"]
        self.timing = frames["timing"]
        self.settings = dict(settings or {})

    @classmethod
    def from_records(
        cls, records: list[RunRecord], labels: list[str], settings: dict[str, Any] | None = None
    ) -> "ComparisonResult":
        """Assemble the frames from finished runs, in the order of `labels` and repeats."""
        position = {label: i for i, label in enumerate(labels)}
        records = sorted(records, key=lambda r: (position[r.task.label], r.task.repeat))
        runs = [(r.task.label, r.task.repeat, r.task.seed, r.status, r.reason, r.score) for r in records]
        frames = {
            "runs": pd.DataFrame(runs, columns=[*_KEYS, "seed", "status", "reason", "score"]),
            "history": _stack(records, "history", ["epoch", "train_loss", "test_loss", "test_score", "seconds"]),
            "layers": _stack(records, "layers", ["phase", "layer", "site"]),
            "histograms": _stack(
                records, "histograms", ["phase", "layer", "site", "left", "right", "count", "density"]
            ),
        }
        epochs = frames["history"].groupby(_KEYS, sort=False, observed=True)["seconds"].mean()
        frames["history"] = frames["history"].drop(columns="seconds")
        frames["timing"] = pd.DataFrame(
            [
                (
                    r.task.label,
                    r.task.repeat,
                    r.seconds,
                    epochs.get((r.task.label, r.task.repeat), float("nan")),
                )
                for r in records
            ],
            columns=[*_KEYS, "seconds", "seconds_per_epoch"],
        )
        for frame in frames.values():
            frame["initializer"] = pd.Categorical(frame["initializer"], categories=labels)
        return cls(frames, settings)

    def __repr__(self) -> str:
        return f"ComparisonResult({len(self.runs)} runs of {len(self.initializers)} initializers; see summary())"

    @property
    def initializers(self) -> list[str]:
        """Labels of the initializers, in the order given."""
        return list(self.runs["initializer"].cat.categories)

    def summary(self) -> pd.DataFrame:
        """Rank the initializers.

        Returns
        -------
        DataFrame
            A row per initializer, best mean score first: rank, mean_score, std_score, low and high
            (95 % t interval of the mean), difference_to_best, p_value (paired t-test against
            the best over the repeats, Holm's correction over the initializers; NaN for the best
            itself, and where the test is undefined: fewer than two shared repeats, or differences
            that do not vary), tied_with_best (not told apart at the 5 % level; NA where not tested),
            n_runs (with a score), n_failed, n_diverged. The best was picked by the same scores, so its lead is
            optimistic.
        """
        runs = self.runs.assign(initializer=self.runs["initializer"].astype(str))
        return summarize_scores(runs)

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Write the five tables as CSV files.

        Parameters
        ----------
        folder : str or Path
            Made if it is not there.

        Returns
        -------
        list of Path
        """
        return [write_atomic(Path(folder) / f"{name}.csv", getattr(self, name).to_csv(index=False)) for name in TABLES]

    def to_html(self, path: str | Path, *, axes: str = "shared") -> Path:
        """Write the report, with its pictures beside it.

        Parameters
        ----------
        path : str or Path
            The page; ``activations.png`` and ``learning_curves.png`` go into its folder.
        axes : {"shared", "article"}, default="shared"
            Axes of the activation grid: sensible ones shared by all rows, or the article's
            fixed -1..1 by 0..4.

        Returns
        -------
        Path
            The page.
        """
        from initsk.report import write_report

        return write_report(self, path, axes=axes)


def _stack(records: list[RunRecord], name: str, columns: list[str]) -> pd.DataFrame:
    parts = []
    for record in records:
        part = getattr(record, name)
        if len(part):
            part = part[[*columns, *(c for c in part.columns if c not in columns)]]
            parts.append(part.assign(initializer=record.task.label, repeat=record.task.repeat))
    if not parts:
        return pd.DataFrame(columns=[*_KEYS, *columns])
    frame = pd.concat(parts, ignore_index=True)
    return frame[[*_KEYS, *(c for c in frame.columns if c not in _KEYS)]]
