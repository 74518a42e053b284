"""Values that the author of a network has set on purpose."""

from collections.abc import Collection
from dataclasses import replace
from fnmatch import fnmatchcase

import torch

from initsk.exceptions import InvalidParameterError
from initsk.network import PlannedParameter, local_values
from initsk.utils.validation import unknown_name

Overwrite = bool | str | Collection[str]


def mark_deliberate(plan: list[PlannedParameter], overwrite: Overwrite) -> list[PlannedParameter]:
    """Return the plan in which parameters that keep their deliberate values have the reason.

    A weight whose values are all equal is deliberate if other weights of the network are not constant, and a bias of
    equal values that are not zero if other biases differ from it. So a network whose weights are all zero has no
    deliberate values.

    Raises
    ------
    InvalidParameterError
        If a name in `overwrite` matches no parameter.
    """
    patterns = _patterns(plan, overwrite)
    known = [planned for planned in plan if planned.specs and planned.specs[0].is_known]
    constants = {planned.name: value for planned in known if (value := _constant(planned.tensor)) is not None}
    weights = [planned.name for planned in known if planned.role == "weight"]
    biases = [planned.name for planned in known if planned.role == "bias"]
    kept = {name for name in weights if name in constants} if not set(weights) <= set(constants) else set()
    if len({constants.get(name) for name in biases}) > 1:
        kept |= {name for name in biases if constants.get(name)}
    return [
        replace(planned, deliberate=f"kept: deliberate, all values are {constants[planned.name]:g}")
        if planned.name in kept and not any(fnmatchcase(planned.name, pattern) for pattern in patterns)
        else planned
        for planned in plan
    ]


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
