"""The values that a score is made of: what a trial and the gradients say about the rest of the training."""

from dataclasses import dataclass
from math import exp, inf, isfinite, log, log2, log10

import numpy as np

from initsk.diagnosis._trial import Trial
from initsk.inspection import GradientCoherence

# Relative losses and sizes outside these bounds count as the bound.
_LOSSES = (1e-3, 1e3)
_SIZES = (1e-12, 1e6)


@dataclass(frozen=True)
class Question:
    """The question that a score answers: whether the loss falls below the target within the budget.

    Parameters
    ----------
    budget : int
        Number of steps.
    target : float
        Loss relative to the baseline loss.
    is_adaptive : bool
        Whether the optimizer is Adam or similar.
    lr : float
        Learning rate.
    """

    budget: int
    target: float
    is_adaptive: bool
    lr: float


@dataclass(frozen=True)
class TrialValues:
    """The values of a trial that features are made of.

    Losses are natural logarithms relative to the baseline loss; sizes are decimal logarithms.

    Parameters
    ----------
    n_steps : int
    start, middle, end : float
        Loss of the first step, of a quarter of the steps around the middle, and of the last quarter.
    lowest : float
        Loss of the best step.
    scatter : float
        Standard deviation of the loss in the last quarter.
    all_samples : float
        Loss of the measured samples after the trial.
    norm_start : float
        Norm of the gradient in the first step, a yardstick for the score.
    update_ratio : float
        Norm of the update relative to that of the weight, in the last step.
    size_start, size_end, agreement_start, agreement_end : float
        `GradientCoherence.size` and `GradientCoherence.agreement` before and after the trial.
    """

    n_steps: int
    start: float
    middle: float
    end: float
    lowest: float
    scatter: float
    all_samples: float
    norm_start: float
    update_ratio: float
    size_start: float
    size_end: float
    agreement_start: float
    agreement_end: float

    @classmethod
    def of(
        cls, trial: Trial, baseline: float, before: GradientCoherence, after: GradientCoherence | None
    ) -> "TrialValues":
        """Return the values of a trial.

        Parameters
        ----------
        trial : Trial
        baseline : float
            Loss of the best constant prediction; if it is NaN, the loss at the start takes its place.
        before, after : GradientCoherence
            Before and after the trial; None if the trial diverged.
        """
        reference = reference_loss(trial, baseline)
        losses = np.log(_relative(trial.losses, reference))
        n = len(losses)
        quarter, diverged = max(n // 4, 1), trial.status == "diverged"
        low = max((n - quarter) // 2, 0)
        worst = log(_LOSSES[1])
        return cls(
            n_steps=n,
            start=float(losses[0]),
            middle=worst if diverged else float(losses[low : low + quarter].mean()),
            end=worst if diverged else float(losses[-quarter:].mean()),
            lowest=float(losses.min()),
            scatter=3.0 if diverged else float(losses[-quarter:].std()),
            all_samples=worst if after is None else float(np.log(_relative(after.loss, reference))),
            norm_start=_size(float(trial.gradient_norms[0])),
            update_ratio=log10(_clipped(_finite(trial.last_update_ratio), 1e-9, 1e3)),
            size_start=_size(before.size),
            size_end=_size(inf if after is None else after.size),
            agreement_start=_finite(before.agreement),
            agreement_end=0.0 if after is None else _finite(after.agreement),
        )

    def features(self, question: Question) -> dict[str, float]:
        """Return the features for a budget, a target and an optimizer."""
        ahead, target = log2(max(question.budget, 1) / self.n_steps), log(question.target)
        slope = _clipped(self.end - self.middle, -2.0, 2.0)
        pace = (exp(self.end) - exp(self.start)) / self.n_steps
        return {
            "loss": self.end - target,
            "extrapolated loss": self.end - target + slope * ahead,
            "loss at a constant pace": log(_clipped(exp(self.end) + pace * question.budget, *_LOSSES)) - target,
            "lowest loss": self.lowest - target,
            "loss of all samples": self.all_samples - target,
            "scatter of the loss": self.scatter,
            "update ratio": self.update_ratio,
            "movement": self.update_ratio + ahead * log10(2),
            "gradient size": self.size_end,
            "growth of the gradient size": self.size_end - self.size_start,
            "coherence": self.agreement_end,
            "budget": ahead,
            "target": target,
        }


def reference_loss(trial: Trial, baseline: float) -> float:
    """Return the loss that others are relative to: the baseline loss or, if it is NaN, the loss at the start."""
    return baseline if baseline > 0 else abs(float(trial.losses[0])) or 1.0


def static_features(question: Question, start: float, size: float, agreement: float) -> dict[str, float]:
    """Return the features without a trial.

    Parameters
    ----------
    question : Question
    start : float
        Loss at the start, as a natural logarithm relative to the baseline loss.
    size, agreement : float
        `GradientCoherence.size`, as a decimal logarithm, and `GradientCoherence.agreement`.
    """
    rate = log10(_clipped(question.lr, 1e-9, 1e3))
    return {
        "loss at the start": start,
        "gradient size": size,
        "coherence at the start": agreement,
        "rate of an adaptive optimizer": rate if question.is_adaptive else -9.0,
        "rate times gradient": -18.0 if question.is_adaptive else rate + size,
        "budget": log2(max(question.budget, 1)),
        "target": log(question.target),
    }


def features_at_start(question: Question, baseline: float, before: GradientCoherence) -> dict[str, float]:
    """Return the features without a trial, of the gradients at the start."""
    relative = before.loss / baseline if baseline > 0 else 1.0
    start = float(np.log(_relative(relative, 1.0)))
    return static_features(question, start, _size(before.size), _finite(before.agreement))


def _relative(losses: np.ndarray | float, reference: float) -> np.ndarray:
    """Return losses relative to a reference, within bounds; a loss that is not finite is the upper bound."""
    relative = np.asarray(losses, dtype=float) / reference
    return np.clip(np.where(np.isfinite(relative), relative, _LOSSES[1]), *_LOSSES)


def _size(value: float) -> float:
    """Return the decimal logarithm of a size, within bounds."""
    return log10(_clipped(value if isfinite(value) else _SIZES[1], *_SIZES))


def _clipped(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _finite(value: float) -> float:
    return value if isfinite(value) else 0.0
