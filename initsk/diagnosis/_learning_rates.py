"""Learning rates at which a network would train."""

from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

import numpy as np
import pandas as pd

from initsk.diagnosis._setup import Outcome
from initsk.inspection import threshold_of

#: Factors of the default rates: two decades in both directions, in half decades.
_FACTORS = tuple(10 ** (exponent / 2) for exponent in range(-4, 5))
_BELOW, _ABOVE = (0.1, 10**-0.5), (10**0.5, 10.0)
# Steps at a smaller rate may be rounded to zero in single precision.
_ROUNDED = 1e-6
# Largest share of the highest rate that works, with a margin for rounded rates.
_CAREFUL = 0.101
_COLUMNS = {
    "lr": "float64", "score": "float64", "loss": "float64", "relative_loss": "float64", "steps": "int64",
    "status": "str", "works": "bool",
}  # fmt: skip


class RateRange(NamedTuple):
    """A range of learning rates with scores of at least 0.5.

    Attributes
    ----------
    low, high : float
        The smallest and the largest rate of the range; NaN if no rate works.
    best : float
        The rate with the highest score. Of scores that differ by less than 0.01, rates of at most a tenth of `high`
        come first, since long trainings diverge at smaller rates than trials; then the one nearest to the middle of
        the range.
    verdict : {"works", "other rate", "no rate"}
        Whether the network works at its own rate, only at others, or at none that was tried.
    """

    low: float
    high: float
    best: float
    verdict: str


def rates_around(lr: float) -> list[float]:
    """Return nine rates around a rate, in half decades.

    Examples
    --------
    >>> [f"{rate:.3g}" for rate in rates_around(0.1)]
    ['0.001', '0.00316', '0.01', '0.0316', '0.1', '0.316', '1', '3.16', '10']
    """
    return [lr if factor == 1 else float(f"{lr * factor:.4g}") for factor in _FACTORS]


def further_rates(frame: pd.DataFrame) -> list[float]:
    """Return two more rates at each end of a frame where the ends of the range that works may lie; none at other ends.

    Examples
    --------
    >>> frame = pd.DataFrame({"lr": [0.01, 0.1], "works": [True, False]})
    >>> [f"{rate:.3g}" for rate in further_rates(frame)]
    ['0.001', '0.00316']
    """
    low, high = float(frame["lr"].min()), float(frame["lr"].max())
    below = _BELOW if frame["works"].iloc[0] else ()
    above = _ABOVE if frame["works"].iloc[-1] else ()
    return _rounded([*(low * factor for factor in below), *(high * factor for factor in above)])


def rates_outward(outcomes: Mapping[float, Outcome]) -> list[float]:
    """Return two more rates at each end beyond which a rate may work, if none works: where steps have another size.

    Steps are too small to matter, or so large that they replace the weights, at some rate; further on they are worse.
    """
    # Without a finite loss at the start, no rate helps.
    starts = [outcome.trial.losses[:1] for outcome in outcomes.values() if outcome.trial is not None]
    if any(outcome.score >= 0.5 for outcome in outcomes.values()) or not np.isfinite(np.concatenate(starts)).any():
        return []
    low, high = min(outcomes), max(outcomes)
    below = _BELOW if _is_faster(outcomes[low], "small steps") else ()
    above = _ABOVE if not _is_faster(outcomes[high], "large steps") else ()
    return _rounded([*(low * factor for factor in below), *(high * factor for factor in above)])


def _is_faster(outcome: Outcome, kind: str) -> bool:
    """Return whether the steps of a trial are larger than the threshold of a kind; NaN counts as between the two."""
    trial = outcome.trial
    assert trial is not None
    # The largest step: after it, units may be dead, and the last steps zero.
    ratio = max((ratio for ratio in trial.update_ratios if isfinite(ratio)), default=0.0)
    if ratio == 0 and trial.status != "diverged":
        # Weights that do not change at all do not change at another rate either, unless the step was rounded to zero.
        return kind == "large steps" and trial.lr > _ROUNDED
    return trial.status == "diverged" or ratio > threshold_of(kind).value


def _rounded(rates: list[float]) -> list[float]:
    return [float(f"{rate:.4g}") for rate in rates]


def rates_frame(outcomes: Mapping[float, Outcome], baseline: float, n_steps: int) -> pd.DataFrame:
    """Return a row per learning rate, with the losses after so many steps; see `Diagnosis.learning_rates`."""
    rows = []
    for rate, outcome in outcomes.items():
        trial = outcome.trial
        assert trial is not None
        loss, score = trial.loss_after(n_steps), outcome.score
        rows.append((rate, score, loss, loss / baseline, trial.n_steps, trial.status, score >= 0.5))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def range_of(frame: pd.DataFrame, lr: float) -> RateRange:
    """Return the range of neighboring rates that work: the one with `lr`, or else the one with the highest score.

    Examples
    --------
    >>> frame = pd.DataFrame({"lr": [0.01, 0.1, 1.0], "score": [0.6, 0.9, 0.2], "works": [True, True, False]})
    >>> range_of(frame, 1.0)
    RateRange(low=0.01, high=0.1, best=0.1, verdict='other rate')
    >>> range_of(frame.assign(score=[0.9, 0.9, 0.2]), 1.0).best
    0.01
    """
    if not frame["works"].any():
        return RateRange(np.nan, np.nan, np.nan, "no rate")
    frame = frame.reset_index(drop=True)
    number = (frame["works"] != frame["works"].shift()).cumsum()
    own = frame.index[(frame["lr"] == lr) & frame["works"]]
    inside = int(own[0]) if len(own) else int(frame["score"].where(frame["works"]).fillna(-1.0).to_numpy().argmax())
    chosen = frame[number == number.iloc[inside]]
    near = chosen[chosen["score"] >= chosen["score"].max() - 0.01]
    careful = near["lr"] <= _CAREFUL * chosen["lr"].max()
    near = near[careful] if careful.any() else near
    distances = (np.log(near["lr"]) - np.log(chosen["lr"]).mean()).abs().to_numpy()
    best = float(near["lr"].iloc[int(distances.argmin())])
    verdict = "works" if len(own) else "other rate"
    return RateRange(float(chosen["lr"].min()), float(chosen["lr"].max()), best, verdict)
