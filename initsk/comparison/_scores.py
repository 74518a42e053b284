"""Scores as a table of what was compared by what they are paired over."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from initsk.comparison._frames import grid_columns
from initsk.comparison._statistics import holm, paired_p_value


@dataclass(frozen=True)
class Scores:
    """Paired scores.

    Parameters
    ----------
    table : DataFrame
        A column for each treatment, the best mean first; a row per repeat or, where several splits were
        scored, per split.
    ratio : float
        Of several splits, held-out samples for each of those trained on; 0 for one split.
    """

    table: pd.DataFrame
    ratio: float

    @property
    def labels(self) -> list[str]:
        """The treatments, the best first."""
        return list(self.table.columns)

    def values(self, label: str) -> np.ndarray:
        """Return the scores of one treatment that are there."""
        values = self.table[label].to_numpy(float)
        return values[np.isfinite(values)]

    def differences(self, first: str, second: str) -> np.ndarray:
        """Return what `first` is above `second`, where both have a score."""
        difference = self.table[first].to_numpy(float) - self.table[second].to_numpy(float)
        return difference[np.isfinite(difference)]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every pair, the better one first."""
        return combinations(self.labels, 2)

    def p_values(self, test: str = "t") -> dict[tuple[str, str], float]:
        """Return the p-value of every pair, with Holm's correction over all of them.

        All pairs count, also for those who look at the best alone: which one that is, the same scores decided.
        """
        pairs = list(self.pairs())
        raw = [paired_p_value(self.differences(*pair), self.ratio, test) for pair in pairs]
        return dict(zip(pairs, holm(np.array(raw)).tolist(), strict=True))


def of_splits(runs: pd.DataFrame) -> bool:
    """Say whether the runs were scored on several splits, and not on one over several repeats."""
    split = runs["split"].to_numpy()
    return bool((split != split[:1]).any())


def scores_of(runs: pd.DataFrame, treatment: pd.Series, column: str = "score") -> Scores:
    """Return the scores in `column` of what `treatment` says that each run is of."""
    several = of_splits(runs)
    over = runs["split"] if several else runs["repeat"]
    # Repeats on the same split are no more data: they are averaged.
    table = runs[column].groupby([over, treatment], sort=False).mean().unstack().sort_index()
    order = list(dict.fromkeys(treatment))
    table = table.reindex(columns=order)
    means = table.mean().fillna(-np.inf)
    ranked = sorted(order, key=lambda label: -means[label])
    return Scores(table[ranked], float(runs["test_ratio"].mean()) if several else 0.0)


def setting_labels(runs: pd.DataFrame) -> pd.Series:
    """Return initializer and setting of each run in words."""
    labels = runs["initializer"].astype(str)
    for name in grid_columns(runs):
        labels += f", {name}=" + runs[name].astype(str)
    return labels


def tuned(runs: pd.DataFrame, column: str = "score") -> pd.DataFrame:
    """Return, for each initializer, repeat and fold, the run at the setting that was best in the *other* ones.

    Every initializer is shown at its own best setting, and no score is of a setting that was picked by
    that score. A setting with a run that gave no score is not picked where another has all. With a single run per
    setting there are no others, and the best score is taken.
    """
    if not grid_columns(runs):
        return runs
    parts = [_own_best(rows, column) for _, rows in runs.groupby("initializer", observed=True, sort=False)]
    return pd.concat(parts)


def _own_best(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Do what `tuned` says, for one initializer."""
    units, settings = pd.MultiIndex.from_frame(runs[["repeat", "fold"]]), setting_labels(runs)
    rows, columns = units.factorize()[0], settings.factorize()[0]
    scores = np.full((rows.max() + 1, columns.max() + 1), np.nan)
    where = np.full(scores.shape, -1)
    scores[rows, columns], where[rows, columns] = runs[column], np.arange(len(runs))
    missing = np.isnan(scores)
    total, gaps = np.nan_to_num(scores), missing.astype(int)
    if len(scores) > 1:
        total, gaps = total.sum(axis=0) - total, gaps.sum(axis=0) - gaps
    fewest = gaps == gaps.min(axis=1, keepdims=True)
    picked = where[np.arange(len(scores)), np.where(fewest, total, -np.inf).argmax(axis=1)]
    return runs.iloc[picked[picked >= 0]]
