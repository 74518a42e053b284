"""Telling a difference from noise over paired repeats."""

import warnings

import numpy as np
import pandas as pd
from scipy import stats


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean; NaN with fewer than two values.

    Examples
    --------
    >>> low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    """
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p-values for their number (Holm 1979); NaN stays NaN and does not count.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(3).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    corrected = np.full(len(p_values), np.nan)
    order = np.argsort(p_values)[: int(np.isfinite(p_values).sum())]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return corrected


def paired_p_value(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided paired t-test; NaN with fewer than two pairs, and where the differences do not vary.

    Scores of a few samples are coarse, so equal differences do not mean that there is no noise.
    Equal scores give 1.
    """
    both = np.isfinite(first) & np.isfinite(second)
    difference = first[both] - second[both]
    if len(difference) < 2:
        return float("nan")
    if np.ptp(difference) == 0:
        return 1.0 if difference[0] == 0 else float("nan")
    with warnings.catch_warnings():
        # scipy warns where the differences are nearly constant; the p-value is then nearly 0, as it should be.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(stats.ttest_1samp(difference, 0.0).pvalue)


def summarize_scores(runs: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Rank initializers by mean score and test each against the best, paired by repeat."""
    scores = runs.pivot(index="repeat", columns="initializer", values="score")
    status = runs.pivot(index="repeat", columns="initializer", values="status")
    labels = sorted(scores.columns, key=lambda label: -np.nan_to_num(scores[label].mean(), nan=-np.inf))
    best = labels[0]
    rows = []
    for rank, label in enumerate(labels, start=1):
        values = scores[label].to_numpy(dtype=float)
        low, high = mean_interval(values)
        p_value = float("nan") if label == best else paired_p_value(scores[best].to_numpy(float), values)
        finite = values[np.isfinite(values)]
        rows.append(
            {
                "initializer": label,
                "rank": rank,
                "mean_score": finite.mean() if len(finite) else float("nan"),
                "std_score": finite.std(ddof=1) if len(finite) > 1 else float("nan"),
                "low": low,
                "high": high,
                "difference_to_best": finite.mean() - scores[best].mean() if len(finite) else float("nan"),
                "p_value": p_value,
                "n_runs": len(finite),
                "n_failed": int((status[label] == "failed").sum()),
                "n_diverged": int((status[label] == "diverged").sum()),
            }
        )
    frame = pd.DataFrame(rows)
    frame["p_value"] = holm(frame["p_value"].to_numpy())
    is_best = (frame["rank"] == 1) & (frame["n_runs"] > 0)
    tied = ((frame["p_value"] >= alpha) | is_best).astype("boolean")
    frame.insert(8, "tied_with_best", tied.mask(frame["p_value"].isna() & ~is_best))
    return frame
