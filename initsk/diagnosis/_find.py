"""The findings of a diagnosis: values against thresholds, and which of them decide."""

from collections.abc import Iterator
from math import inf, isfinite, nan
from typing import Any

import numpy as np
import torch

from initsk.diagnosis._features import reference_loss
from initsk.diagnosis._measurements import Measurements
from initsk.diagnosis._objective import Objective
from initsk.diagnosis._samples import Samples
from initsk.diagnosis._setup import Outcome
from initsk.diagnosis._trial import Trial
from initsk.diagnosis._unreached import Unreached
from initsk.inspection import THRESHOLDS, Finding, signal_rows, threshold_of
from initsk.network import heads_of_targets
from initsk.utils.precision import to_numpy

#: Static kinds that can keep a network from training.
STATIC = ("symmetric", "small gradient", "large gradient", "incoherent", "disproportionate", "overconfident")
#: Kinds that a trial can find.
OF_TRIAL = ("diverging", "not learning", "small steps", "large steps")
# Kinds of a rate that is too high.
_TOO_FAST = ("diverging", "large steps")
# What the values of the other kinds are computed from: gradients.
_OF = {"symmetric": "activations", "overconfident": "loss"}
# Kinds that are natural in a network that is trained: what is left of the gradients differs from sample to sample.
_OF_TRAINED = ("small gradient", "incoherent")
# A finding of the first kind makes those of the second kind redundant.
_SAME_CAUSE = {"small gradient": "vanishing", "large gradient": "exploding"}


def find(
    measurements: Measurements, optimizer: str, outcome: Outcome, after: Measurements | None, samples: Samples,
    unreached: list[Unreached], objective: Objective, large: list[Finding], *, is_trained: bool,
) -> list[Finding]:  # fmt: skip
    """Return the findings that decide first.

    A finding decides only if the score says that training will probably fail. If none of the measured values explains
    such a score, "unlikely" says it.

    Parameters
    ----------
    measurements : Measurements
        At the start.
    optimizer : {"gradient", "adaptive"}
    outcome : Outcome
        Of the trial, or of the estimate without one.
    after : Measurements or None
        After the trial.
    samples : Samples
    unreached : list of Unreached
    objective : Objective
    large : list of Finding
        Of weights that are larger than recommended.
    is_trained : bool
        Whether the loss is below the target before the first step.
    """
    fails = outcome.score < 0.5
    data = [
        Finding(
            array.name, "non-finite", array.n_samples, threshold_of("non-finite").value, fails, "samples",
            what=array.what,
        )
        for array in samples.nonfinite
    ]  # fmt: skip
    if fails and data:
        # What was measured in the network follows from the data.
        return data
    died = [] if after is None else _died(measurements, after)
    possible = _without_contradiction(
        [
            *_unreached(unreached, "cut off"), *_of_trial(outcome, measurements.baseline_loss),
            *_static(measurements, optimizer), *_unscaled(samples.targets, objective), *measurements.of_ends, *large,
        ],
        died,
    )  # fmt: skip
    natural = _OF_TRAINED if is_trained else ()
    deciding = [finding._replace(decides=fails and finding.kind not in natural) for finding in possible]
    nonfinite, dead_ends = measurements.nonfinite, measurements.dead_ends
    if fails and not nonfinite and not dead_ends and not any(finding.decides for finding in deciding):
        deciding += [Finding("", "unlikely", outcome.score, threshold_of("unlikely").value, True, "score")]
    known = {finding.kind for finding in deciding}
    known |= {same for kind, same in _SAME_CAUSE.items() if kind in known} | {"symmetric"}
    others = [
        f._replace(decides=fails and f.kind == "dead" and f.layer in dead_ends)
        for f in measurements.in_layers
        if f.kind not in known | {"non-finite"}
    ]
    depth = measurements.depth
    if depth is not None and threshold_of("too deep").flags(depth.share):
        others.append(Finding("", "too deep", depth.share, threshold_of("too deep").value, False, "depth"))
    unmoved = [*_unreached(unreached, "unused"), *_unreached(unreached, "left out")]
    others += [*died, *(finding._replace(decides=False) for finding in unmoved)]
    order = list(THRESHOLDS)
    # Dead layers explain the gradients, and the other findings explain that the loss did not fall.
    return sorted(
        [*data, *nonfinite, *deciding, *others],
        key=lambda f: (not f.decides, f.decides and f.kind != "dead", f.kind == "not learning", order.index(f.kind)),
    )


def _without_contradiction(possible: list[Finding], died: list[Finding]) -> list[Finding]:
    """Leave "small steps", which ask for a higher rate, out where other values ask for a lower one."""
    lower = bool(died) or any(finding.kind in _TOO_FAST for finding in possible)
    return [finding for finding in possible if not (lower and finding.kind == "small steps")]


def _unreached(layers: list[Unreached], kind: str) -> Iterator[Finding]:
    for layer in layers:
        if layer.kind == kind:
            yield Finding(layer.layer, kind, layer.n_values, threshold_of(kind).value, True, "trial")


def _static(measurements: Measurements, optimizer: str) -> Iterator[Finding]:
    for kind in STATIC:
        threshold = threshold_of(kind, optimizer)
        for layer, value in measurements.values[kind].items():
            if threshold.flags(value):
                where = layer or measurements.extreme_layer(kind)
                yield Finding(where, kind, value, threshold.value, True, _OF.get(kind, "gradients"))


def _of_trial(outcome: Outcome, baseline: float) -> Iterator[Finding]:
    trial = outcome.trial
    if trial is None:
        return
    for kind, value in zip(OF_TRIAL, _trial_values(trial, baseline), strict=True):
        threshold = threshold_of(kind)
        if threshold.flags(value):
            yield Finding("", kind, value, threshold.value, True, "trial")


def _trial_values(trial: Trial, baseline: float) -> tuple[float, float, float, float]:
    """Return the values of the kinds in `OF_TRIAL`, in their order."""
    start = float(trial.losses[0])
    growth = trial.end_loss / start if start > 0 else 1.0
    # Of a trial that diverged, only this is said.
    relative = nan if trial.status == "diverged" else trial.end_loss / reference_loss(trial, baseline)
    return growth, relative, trial.last_update_ratio, trial.last_update_ratio


def _unscaled(targets: list[Any], objective: Objective) -> list[Finding]:
    """Return a finding for each head whose numbers to predict are far from standardized."""
    threshold, heads = threshold_of("unscaled targets"), [heads_of_targets(target) for target in targets]
    found = []
    for name in [head for head in (heads[0] if heads else ()) if not objective.takes_classes(head)]:
        factor = _factor_from_standardized([parts[name] for parts in heads])
        if threshold.flags(factor):
            of = "head" if name else "targets"
            found.append(Finding(name, "unscaled targets", factor, threshold.value, True, of))
    return found


def _factor_from_standardized(parts: list[Any]) -> float:
    """Return by which factor mean or standard deviation of some numbers differ from 0 and 1; NaN of anything else."""
    if not all(isinstance(part, np.ndarray | torch.Tensor) for part in parts):
        return nan
    values = np.concatenate([np.ravel(to_numpy(part)) for part in parts])
    if values.dtype.kind != "f" or not np.isfinite(values).all() or not values.any():
        return nan
    spread = float(values.std())
    return max(spread, 1 / spread, abs(float(values.mean())) / spread) if spread else inf


def _died(before: Measurements, after: Measurements) -> list[Finding]:
    """Return the layers in which more units are dead after the trial than the threshold allows, and were not before."""
    threshold = threshold_of("dead")
    shares = []
    for measured in (before, after):
        rows = signal_rows(measured.summary.to_frame())
        shares.append(dict(zip(rows["layer"], rows["dead_fraction"], strict=True)))
    return [
        Finding(str(layer), "died", float(share), threshold.value, False, "trial")
        for layer, share in shares[1].items()
        if isfinite(share) and threshold.flags(share) and not threshold.flags(shares[0].get(layer, 0.0))
    ]
