"""What is measured of a network before it is trained: everything that a diagnosis is made from."""

from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch.utils import multi_indexing
from torch import nn

from initsk.diagnosis._predict import DepthBudget, depth_budget
from initsk.inspection import ActivationSummary, GradientCoherence, gradient_coherence, inspect_activations, signal_rows
from initsk.network import BATCH_NORM_LAYERS, Model
from initsk.utils.validation import refuse

MAX_SAMPLES = 512
# Halves of fewer have gradients by chance alone.
MIN_SAMPLES = 20


@dataclass(frozen=True)
class Measurements:
    """Measured numbers of one network.

    Attributes
    ----------
    summary : ActivationSummary
        Activations and gradients of every layer.
    coherence : GradientCoherence
        What two halves of the samples teach.
    baseline_loss : float
        Loss of the best constant answer, NaN where the loss is not known.
    budget : DepthBudget or None
        What theory says of the depth; None of what is no plain chain of layers.
    """

    summary: ActivationSummary
    coherence: GradientCoherence
    baseline_loss: float
    budget: DepthBudget | None

    @cached_property
    def numbers(self) -> dict[str, dict[str, float]]:
        """The numbers that decide, by verdict and layer; what is of the whole network has the layer ""."""
        # A threshold that all reach gives the numbers of all layers.
        found = self.summary.verdicts(copied=0.0)

        def by_layer(verdict: str) -> dict[str, float]:
            rows = found[found["verdict"] == verdict]
            return dict(zip(rows["layer"], rows["value"], strict=True))

        return {
            "non-finite": by_layer("non-finite") | ({} if isfinite(self.coherence.loss) else {"": 1.0}),
            "symmetric": by_layer("symmetric"),
            "vanishing": {"": self.coherence.size},
            "exploding": {"": self.coherence.size},
            "incoherent": {"": self.coherence.agreement},
            "disproportionate": self._proportions(),
            "overconfident": {"": self.coherence.loss / self.baseline_loss if self.baseline_loss > 0 else float("nan")},
        }

    def _proportions(self) -> dict[str, float]:
        """Return the size of each hidden layer's gradients, relative to the last one's."""
        back = signal_rows(self.summary.to_frame("gradients"))
        last = float(back["rms"].iloc[-1]) if len(back) else 0.0
        return {str(layer): float(rms) / last for layer, rms in zip(back["layer"], back["rms"], strict=True) if last}

    def weakest(self, verdict: str) -> str:
        """Return the layer whose gradients are the smallest, the largest, or agree least; "" of other verdicts."""
        part = self.coherence.agreements if verdict == "incoherent" else self.coherence.sizes
        matrices = {name: part[name] for name in self.coherence.agreements}
        choice = {"vanishing": min, "exploding": max, "incoherent": min}.get(verdict)
        if choice is None or not matrices:
            return ""
        return choice(matrices, key=lambda name: matrices[name]).rpartition(".")[0]


def take_measurements(model: Model, X: Any, y: Any, random_state: int, *, whole: bool = False) -> Measurements:
    """Send samples forward and backward; as a whole, with the weights' statistics and what theory says of the depth.

    Batch normalisation takes the batch's own moments, since its running ones know nothing before training.
    """
    training = any(isinstance(part, BATCH_NORM_LAYERS) for part in model.module.modules())
    options: dict[str, Any] = {"training": training, "random_state": random_state}
    summary = inspect_activations(
        model, X, y, gradients=True, weights=whole, measures=("units", "samples"), batch_size=len(y), **options
    )
    coherence = gradient_coherence(model, X, y, **options)
    return Measurements(summary, coherence, _baseline_loss(model, y), depth_budget(model.module) if whole else None)


def some_samples(X: Any, y: Any, n: int, seed: int) -> tuple[Any, Any]:
    """Return some samples in random order, so that either half is like the whole.

    Raises
    ------
    InvalidParameterError
        If X and y differ in length, or there are so few samples, or targets all alike, that nothing can be said.
    """
    X, y = (np.asarray(part) if isinstance(part, list) else part for part in (X, y))
    given = X.shape[0] if hasattr(X, "shape") else len(y)
    problems = []
    if given != len(y):
        problems.append(f"y has {len(y)} rows, and X has {given} (allowed: as many)")
    elif given < MIN_SAMPLES:
        problems.append(
            f"X has {given} samples (allowed: at least {MIN_SAMPLES}, to tell their halves' gradients apart)"
        )
    elif getattr(y, "ndim", 1) == 1 and (np.asarray(y) == np.asarray(y)[0]).all():
        problems.append("y holds one value alone (allowed: targets that differ, or there is nothing to learn)")
    refuse("diagnose", problems)
    rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:n])
    np.random.default_rng(seed).shuffle(rows)
    return multi_indexing(X, rows), multi_indexing(y, rows)


def as_array(y: Any) -> np.ndarray:
    """Return targets as an array, of which floats are numbers to predict and others are classes."""
    return y.numpy(force=True) if isinstance(y, torch.Tensor) else np.asarray(y)


def _baseline_loss(model: Model, y: Any) -> float:
    """Return the loss of the constant that answers best: the entropy of the classes, or the variance."""
    values = as_array(y)
    criterion = getattr(model.net, "criterion_", None)
    continuous = values.dtype.kind == "f"
    if criterion is not None and not isinstance(criterion, nn.MSELoss if continuous else nn.CrossEntropyLoss):
        return float("nan")
    if continuous:
        return float(values.var(axis=0).mean())
    shares = pd.Series(values.ravel()).value_counts(normalize=True).to_numpy()
    return float(-(shares * np.log(shares)).sum())
