"""Values that the author of a network has set on purpose."""

from collections.abc import Collection
from dataclasses import replace
from fnmatch import fnmatchcase

import torch

from initsk.exceptions import InvalidParameterError
from initsk.network import PlannedParameter, local_values
from initsk.utils.torch_settings import working_type
from initsk.utils.validation import unknown_name

# Share of the usual size, the root of 1 / fan_in, below which a weight is nearly zero.
_TINY = 1e-3
_FEW = 2
Overwrite = bool | str | Collection[str]


def mark_deliberate(plan: list[PlannedParameter], overwrite: Overwrite) -> list[PlannedParameter]:
    """Return the plan in which parameters that keep their deliberate values have the reason.

    A weight whose values are all equal, or all nearly zero, is deliberate if that does not hold for other weights of
    the network; so is the bias beside it. A bias of equal values that are not zero is deliberate if other biases differ
    from it. So a network whose weights are all zero has no deliberate values. Parameters with the mark ``_no_reinit``,
    as in Mamba, are deliberate too.

    Raises
    ------
    InvalidParameterError
        If a name in `overwrite` matches no parameter.
    """
    patterns = _patterns(plan, overwrite)
    known = [planned for planned in plan if planned.specs and planned.specs[0].is_known]
    weights = {planned.name: _special(planned) for planned in known if planned.role == "weight"}
    biases = {planned.name: _constant(planned.tensor) for planned in known if planned.role == "bias"}
    reasons = {name: why for name, why in weights.items() if why} if not all(weights.values()) else {}
    layers = {name.rpartition(".")[0] for name in reasons}
    differ = len(set(biases.values())) > 1
    for name, value in biases.items():
        if value is not None and ((value != 0 and differ) or name.rpartition(".")[0] in layers):
            reasons[name] = f"all values are {value:g}"
    for planned in known:
        if any(getattr(parameter, "_no_reinit", False) for parameter in planned.parameters.values()):
            reasons[planned.name] = "marked by _no_reinit"
    return [
        replace(planned, deliberate=f"kept: deliberate, {reasons[planned.name]}")
        if planned.name in reasons and not any(fnmatchcase(planned.name, pattern) for pattern in patterns)
        else planned
        for planned in plan
    ]


def _special(planned: PlannedParameter) -> str:
    """Return what is special about the values of a weight, or ""."""
    value = _constant(planned.tensor)
    if value is not None:
        return f"all values are {value:g}"
    values, fan_in = local_values(planned.tensor).detach(), planned.specs[0].fan_in
    if values.is_meta or not fan_in or values.numel() < 2:
        return ""
    limit = _TINY * fan_in**-0.5
    first = values[(slice(_FEW),) * values.dim()]
    largest = 0.0
    # Nearly always, a few values tell that not all are tiny.
    for part in (first, values):
        largest = float(part.to(working_type(values.dtype)).abs().amax())
        if not largest < limit:
            return ""
    return f"no value is above {largest:.1g}"


def _patterns(plan: list[PlannedParameter], overwrite: Overwrite) -> list[str]:
    if isinstance(overwrite, bool):
        return ["*"] if overwrite else []
    patterns = [overwrite] if isinstance(overwrite, str) else list(overwrite)
    names = [planned.name for planned in plan]
    for pattern in patterns:
        if not isinstance(pattern, str):
            allowed = "True, False, or names and patterns of parameters"
            raise InvalidParameterError(f"initialize: overwrite={overwrite!r} is not allowed ({allowed})")
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InvalidParameterError(f"initialize: overwrite: {unknown_name('parameter', pattern, names)}")
    return patterns


def _constant(tensor: torch.Tensor) -> float | None:
    """Return the value that all elements of a tensor have, or None if they differ."""
    if tensor.numel() < 2 or tensor.is_meta or tensor.is_complex():
        return None
    values = local_values(tensor).detach()
    if values.numel() < 2:
        return None
    first = values[(0,) * values.dim()]
    if first != values[tuple(size - 1 for size in values.shape)] or not bool((values == first).all()):
        return None
    return float(first)
