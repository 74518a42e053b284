"""Rules for the statistics of a signal after normalization."""

from collections.abc import Callable
from typing import Any

import torch

from initsk.network._axes import UNIT
from initsk.network._signal_step import Pair, Step, pair_of
from initsk.theory import Signal
from initsk.utils.torch_settings import in_double


def _affine_of_norm(step: Step, signal: Signal, weight: Any, bias: Any) -> Any:
    factor = step.statistics(weight)[0] if isinstance(weight, torch.Tensor) else (1.0, 1.0)
    shift = step.statistics(bias)[0] if isinstance(bias, torch.Tensor) else (0.0, 0.0)
    return signal.affine(factor, shift)


def _layer_norm(step: Step) -> Any:
    signal, call = step.first, step.operation
    removed = signal.mean**2
    normalized = signal.standardized(removed, removed, _epsilon(step, 4))
    return _affine_of_norm(step, normalized, call.argument(2, "weight"), call.argument(3, "bias"))


def _group_norm(step: Step) -> Any:
    signal, call = step.first, step.operation
    units = max(step.size(step.sources()[0], UNIT) // int(call.argument(1, "num_groups")), 1)
    normalized = signal.standardized(*_means_of(signal, units), _epsilon(step, 4))
    return _affine_of_norm(step, normalized, call.argument(2, "weight"), call.argument(3, "bias"))


def _instance_norm(step: Step) -> Any:
    signal, call = step.first, step.operation
    normalized = signal.standardized(*_means_of(signal, 1), _epsilon(step, 7))
    return _affine_of_norm(step, normalized, call.argument(3, "weight"), call.argument(4, "bias"))


def _means_of(signal: Signal, units: int) -> Pair:
    """Return the mean square of means over positions and groups of units, and their mean product in two samples."""
    common = signal.mean**2
    over_positions = signal.shared + (signal.square - signal.shared) / signal.positions
    return common + (over_positions - common) / units, common + (signal.across - common) / units


def _batch_norm(step: Step) -> Any:
    signal, call = step.first, step.operation
    affine = call.argument(3, "weight"), call.argument(4, "bias")
    mean, variance = call.argument(1, "running_mean"), call.argument(2, "running_var")
    if call.argument(5, "training", False) or mean is None or step.exact:
        normalized = signal.standardized(signal.across, signal.across, _epsilon(step, 7), in_batch=True)
        return _affine_of_norm(step, normalized, *affine)
    scale = (in_double(variance.detach()) + call.argument(7, "eps", 1e-5)).rsqrt()
    return _affine_of_norm(step, signal.affine(pair_of(scale), pair_of(-in_double(mean) * scale)), *affine)


def _rms_norm(step: Step) -> Any:
    normalized = step.first.divided_by_rms(_epsilon(step, 3))
    return _affine_of_norm(step, normalized, step.operation.argument(2, "weight"), None)


def _epsilon(step: Step, position: int) -> float:
    return 0.0 if step.exact else float(step.operation.argument(position, "eps") or 0.0)


NORM_RULES: dict[str, Callable[[Step], Any]] = {
    "layer_norm": _layer_norm, "group_norm": _group_norm, "instance_norm": _instance_norm, "batch_norm": _batch_norm,
    "rms_norm": _rms_norm,
}  # fmt: skip
