"""The values of an untrained network that a diagnosis is made from."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch.utils import multi_indexing
from torch import nn

from initsk import inspection
from initsk.diagnosis._depth_budget import DepthBudget, depth_budget
from initsk.network import (
    BATCH_NORM_LAYERS,
    IGNORED_TARGET,
    Model,
    count_samples,
    map_arrays,
    read,
    several_targets,
    take_rows,
    take_targets,
    targets_in,
    to_array,
)
from initsk.utils.validation import is_continuous, refuse

MAX_SAMPLES = 512
# The gradients of two smaller halves agree by chance only.
MIN_SAMPLES = 20


@dataclass(frozen=True)
class Measurements:
    """Values measured in one network.

    Attributes
    ----------
    summary : ActivationSummary
        Activations and gradients of every layer.
    coherence : GradientCoherence
        Agreement of the gradients of two halves of the samples.
    baseline_loss : float
        Loss of the best constant prediction, NaN for a loss that is not known.
    depth : DepthBudget or None
        Depth relative to the depth scales of mean field theory; None if the network is not a plain chain of layers.
    """

    summary: inspection.ActivationSummary
    coherence: inspection.GradientCoherence
    baseline_loss: float
    depth: DepthBudget | None

    @cached_property
    def values(self) -> dict[str, dict[str, float]]:
        """The values by kind of finding and by layer; values of the whole network have the layer ""."""
        copied = inspection.LayerValues(*self._frames).values("symmetric")
        relative_loss = self.coherence.loss / self.baseline_loss if self.baseline_loss > 0 else float("nan")
        return {
            "symmetric": {layer: value for layer, value, *_ in copied},
            "small gradient": {"": self.coherence.size},
            "large gradient": {"": self.coherence.size},
            "incoherent": {"": self.coherence.agreement},
            "disproportionate": self._relative_gradients(),
            "overconfident": {"": relative_loss},
        }

    @cached_property
    def in_layers(self) -> list[inspection.Finding]:
        """The findings in single layers."""
        return inspection.find_in_layers(*self._frames, inspection.layer_thresholds({}))

    @cached_property
    def nonfinite(self) -> list[inspection.Finding]:
        """The findings of values that are not finite: in layers, and of the loss."""
        found = [finding for finding in self.in_layers if finding.kind == "non-finite"]
        if not isfinite(self.coherence.loss):
            threshold = inspection.threshold_of("non-finite").value
            found.append(inspection.Finding("", "non-finite", 1.0, threshold, True, "loss"))
        return found

    @property
    def _frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return self.summary.to_frame(), self.summary.to_frame("gradients")

    def _relative_gradients(self) -> dict[str, float]:
        """Return the size of the gradients of each hidden layer, relative to the last one."""
        back = inspection.signal_rows(self.summary.to_frame("gradients"))
        last = float(back["rms"].iloc[-1]) if len(back) else 0.0
        return {str(layer): float(rms) / last for layer, rms in zip(back["layer"], back["rms"], strict=True) if last}

    def extreme_layer(self, kind: str) -> str:
        """Return the layer with the smallest, largest or least coherent gradient; "" for other kinds of finding."""
        parts = self.coherence.agreements if kind == "incoherent" else self.coherence.sizes
        matrices = {name: parts[name] for name in self.coherence.agreements}
        choice = {"small gradient": min, "large gradient": max, "incoherent": min}.get(kind)
        if choice is None or not matrices:
            return ""
        return choice(matrices, key=lambda name: matrices[name]).rpartition(".")[0]


def take_measurements(model: Model, X: Any, y: Any, random_state: int, *, with_weights: bool = False) -> Measurements:
    """Return the measurements of one forward and backward pass; `with_weights` adds those of weights and depth.

    Batch normalization uses the moments of the batch, since its running moments are meaningless before training.
    """
    training = any(isinstance(part, BATCH_NORM_LAYERS) for part in model.module.modules())
    options: dict[str, Any] = {"training": training, "random_state": random_state}
    measured: dict[str, Any] = {"measures": ("units", "samples"), "batch_size": sys.maxsize, **options}
    summary = inspection.inspect_activations(model, X, y, gradients=True, weights=with_weights, **measured)
    coherence = inspection.gradient_coherence(model, X, y, **options)
    depth = depth_budget(model.module, read(model.module, model.first_rows(X))) if with_weights else None
    return Measurements(summary, coherence, _baseline_loss(model, targets_in(X) if y is None else y), depth)


def draw_samples(X: Any, y: Any, n: int, seed: int) -> tuple[Any, Any]:
    """Return `n` samples in random order, so that both halves of them are alike; X that has no rows is returned whole.

    Raises
    ------
    InvalidParameterError
        If X and y differ in length, there are too few samples, or all targets are equal.
    """
    X, y = (np.asarray(part) if isinstance(part, list) else part for part in (X, y))
    n_given = count_rows(X)
    if n_given is None:
        return X, y
    n_targets = n_given if y is None or several_targets(y) else len(y)
    problems = []
    if n_given != n_targets:
        problems.append(f"y has {n_targets} rows, and X has {n_given} (allowed: the same number)")
    elif n_given < MIN_SAMPLES:
        wanted = f"at least {MIN_SAMPLES}, to compare the gradients of two halves"
        problems.append(f"X has {n_given} samples (allowed: {wanted})")
    elif not (y is None or several_targets(y)) and getattr(y, "ndim", 1) == 1 and (as_array(y) == as_array(y)[0]).all():
        problems.append("y holds one value only (allowed: targets that differ, otherwise there is nothing to learn)")
    refuse("diagnose", problems)
    rows = np.sort(np.random.default_rng(seed).permutation(n_given)[:n])
    np.random.default_rng(seed).shuffle(rows)
    several = isinstance(X, Mapping | tuple)
    drawn = take_rows(map_arrays(to_array, X), rows, n_given) if several else multi_indexing(X, rows)
    return drawn, take_targets(y, rows) if y is None or several_targets(y) else multi_indexing(y, rows)


def count_rows(X: Any) -> int | None:
    """Return the number of samples in X, or None if X cannot be split into samples."""
    return X.shape[0] if hasattr(X, "shape") else count_samples(map_arrays(to_array, X))


def as_array(y: Any) -> np.ndarray:
    """Return targets as an array: floats are numbers to predict, all others are classes."""
    return y.numpy(force=True) if isinstance(y, torch.Tensor) else np.asarray(y)


def _baseline_loss(model: Model, y: Any) -> float:
    """Return the loss of the best constant prediction: the entropy of the classes, or the variance of the numbers."""
    if y is None or several_targets(y):
        return float("nan")
    values = as_array(y)
    criterion = getattr(model.net, "criterion_", None)
    continuous = is_continuous(values)
    if criterion is not None and not isinstance(criterion, nn.MSELoss if continuous else nn.CrossEntropyLoss):
        return float("nan")
    if continuous:
        return float(values.var(axis=0).mean())
    if values.dtype == bool and values.ndim == 2:
        # Each label has its own constant prediction.
        rate = np.clip(values.mean(axis=0), np.finfo(float).tiny, 1 - np.finfo(float).eps)
        return float(-(rate * np.log(rate) + (1 - rate) * np.log1p(-rate)).mean())
    shares = pd.Series(values[values != IGNORED_TARGET]).value_counts(normalize=True).to_numpy()
    return float(-(shares * np.log(shares)).sum())
