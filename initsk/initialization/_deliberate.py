"""Values that the author of a network has set on purpose."""

from collections.abc import Collection
from dataclasses import replace
from fnmatch import fnmatchcase

import torch
from typing_extensions import TypeAliasType

from initsk.exceptions import InvalidParameterError
from initsk.network import PlannedParameter, local_values
from initsk.utils.torch_settings import working_type
from initsk.utils.validation import unknown_name

# Share of the usual size, the root of 1 / fan_in, below which a weight is nearly zero.
_TINY = 1e-3
# The first values along each axis that are looked at before all values are.
_FEW = 3
# Fewer random values may be two different numbers by chance.
_MANY = 4
Overwrite = TypeAliasType("Overwrite", bool | str | Collection[str])


def mark_deliberate(plan: list[PlannedParameter], overwrite: Overwrite) -> list[PlannedParameter]:
    """Return the plan in which parameters that keep their deliberate values have the reason.

    A weight whose values are all equal, or all nearly zero, is deliberate if that does not hold for other weights of
    the network; so is its bias, whatever values it has. A bias of equal values that are not zero is deliberate if other
    biases differ from it, and so is a bias of two different numbers, as of an
    LSTM whose forget gates begin open. So a network whose weights are all zero has no deliberate values. Parameters
    with the mark ``_no_reinit``, as in Mamba, are deliberate too.

    Raises
    ------
    InvalidParameterError
        If a name in `overwrite` matches no parameter.
    """
    patterns = _patterns(plan, overwrite)
    known = [planned for planned in plan if planned.specs and planned.specs[0].is_known]
    weights = {planned.name: _special(planned) for planned in known if planned.role == "weight"}
    biases = {planned.name: _numbers(planned.tensor) for planned in known if planned.role == "bias"}
    reasons = {name: why for name, why in weights.items() if why} if not all(weights.values()) else {}
    layers = {name.rpartition(".")[0] for name in reasons}
    beside = {_bias_of(name): name for name in reasons}
    differ = len(set(biases.values())) > 1
    for name, numbers in biases.items():
        if numbers and (len(numbers) > 1 or (numbers != (0,) and differ) or name.rpartition(".")[0] in layers):
            reasons[name] = _told(numbers)
        elif name in beside:
            reasons[name] = f"the bias of {beside[name]}"
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
    numbers = _numbers(planned.tensor)
    if len(numbers) == 1:
        return _told(numbers)
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


def _bias_of(name: str) -> str:
    """Return the name of the bias of a weight."""
    layer, dot, attribute = name.rpartition(".")
    return f"{layer}{dot}{attribute.replace('weight', 'bias')}"


def _told(numbers: tuple[float, ...]) -> str:
    return f"all values are {' or '.join(f'{number:g}' for number in numbers)}"


def _numbers(tensor: torch.Tensor) -> tuple[float, ...]:
    """Return the numbers that a tensor consists of if these are one or two, otherwise an empty tuple."""
    if tensor.numel() < 2 or tensor.is_meta or tensor.is_complex():
        return ()
    values = local_values(tensor).detach()
    if values.numel() < 2:
        return ()
    found: tuple[float, ...] = ()
    # Nearly always, a few values tell that there are more numbers.
    for part in (values[(slice(_FEW),) * values.dim()], values):
        part = part.to(working_type(part.dtype))
        lowest, highest = part.aminmax()
        if not bool(((part == lowest) | (part == highest)).all()):
            return ()
        found = (float(lowest),) if lowest == highest else (float(lowest), float(highest))
    return found if len(found) == 1 or values.numel() >= _MANY else ()
