"""Initialize any torch module in place, and say what was touched."""

from dataclasses import dataclass

import pandas as pd
import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.initializers import Initializer, InitializerLike, Zeros, get_initializer
from initsk.modules._plan import PlannedParameter, plan_parameters
from initsk.utils._random import RandomState, make_generator, resolve_seed

_DTYPES = {
    "name": "str",
    "shape": "str",
    "role": "str",
    "initializer": "str",
    "fan_in": "Int64",
    "fan_out": "Int64",
    "std_before": "float64",
    "std_after": "float64",
    "touched": "bool",
    "why": "str",
}


@dataclass(frozen=True, repr=False)
class InitializationRecord:
    """What `initialize` did to each parameter of a module.

    Attributes
    ----------
    rows : tuple of dict
        One per parameter, in the module's order, with the columns of `to_frame`.
    """

    rows: tuple[dict[str, object], ...]

    def __repr__(self) -> str:
        touched = sum(bool(row["touched"]) for row in self.rows)
        return f"InitializationRecord({touched} parameters touched, {len(self.rows) - touched} left; see to_frame())"

    def to_frame(self) -> pd.DataFrame:
        """Return a row per parameter.

        Returns
        -------
        DataFrame
            Columns name, shape, role, initializer, fan_in, fan_out (of one gate or
            projection where several are stacked), std_before, std_after (population
            standard deviations), touched, and why it was touched or left.
        """
        return pd.DataFrame(list(self.rows), columns=list(_DTYPES)).astype(_DTYPES)


def initialize(
    module: nn.Module,
    initializer: InitializerLike = "he_normal",
    *,
    bias_initializer: InitializerLike | None = None,
    random_state: RandomState = None,
) -> InitializationRecord:
    """Initialize the parameters of any torch module in place.

    Each parameter is drawn from a stream of its own, derived from `random_state` and
    its name, so a layer added elsewhere does not change it. Linear, convolution
    (grouped and transposed too), embedding (a padding row stays zero), recurrent (gate by gate) and attention
    layers (projection by projection) are known; normalisation layers stay at their
    identity, frozen parameters as they are, and parameters of unknown layers are left,
    as the record says.

    Parameters
    ----------
    module : torch.nn.Module
        The module; changed in place.
    initializer : str, Initializer or callable, default="he_normal"
        What fills the weights.
    bias_initializer : str, Initializer, callable or None, default=None
        What fills the biases; None means zeros, except that torch's default draws its own.
    random_state : int, RandomState, Generator or None, default=None
        Seed of all draws.

    Returns
    -------
    InitializationRecord

    Raises
    ------
    InvalidParameterError
        If the initializer is unknown or cannot fill a parameter; the module is then as before.
    ModuleError
        If the module is not one, or has lazy parameters.

    Examples
    --------
    >>> from torch import nn
    >>> from initsk import initialize
    >>> record = initialize(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)), "zeros")
    >>> record.to_frame()[["name", "initializer", "touched"]]
           name initializer  touched
    0  0.weight     Zeros()     True
    1    0.bias     Zeros()     True
    2  1.weight                False
    3    1.bias                False
    """
    if not isinstance(module, nn.Module):
        raise ModuleError(f"module={module!r} is not allowed (a torch.nn.Module)")
    weights = get_initializer(initializer)
    if bias_initializer is None:
        biases = weights if weights.sets_biases else Zeros()
    else:
        biases = get_initializer(bias_initializer)
    seed = resolve_seed(random_state)
    plan = list(plan_parameters(module))
    # Every draw comes before the first write, so that a failure leaves the module as it was.
    drawn = [_draw(step, weights if step.role == "weight" else biases, seed) for step in plan]
    rows = []
    for step, values in zip(plan, drawn, strict=True):
        chosen = weights if step.role == "weight" else biases
        before = _std(step.parameter)
        if values is not None:
            with torch.no_grad():
                step.parameter.copy_(values)
        rows.append(_row(step, chosen, before))
    return InitializationRecord(tuple(rows))


def _draw(step: PlannedParameter, initializer: Initializer, seed: int) -> torch.Tensor | None:
    if step.site is None:
        return None
    generator = make_generator(seed, step.name)
    blocks = [initializer.draw(step.site, generator, step.parameter.dtype) for _ in range(step.blocks)]
    values = blocks[0] if step.blocks == 1 else torch.cat(blocks)
    values = values.reshape(step.parameter.shape)
    if step.zero_row is not None:
        values[step.zero_row] = 0
    return values


def _row(step: PlannedParameter, initializer: Initializer, std_before: float) -> dict[str, object]:
    touched = step.site is not None
    return {
        "name": step.name,
        "shape": "x".join(str(size) for size in step.parameter.shape),
        "role": step.role,
        "initializer": repr(initializer) if touched else "",
        "fan_in": step.site.fan_in if step.site else None,
        "fan_out": step.site.fan_out if step.site else None,
        "std_before": std_before,
        "std_after": _std(step.parameter) if touched else std_before,
        "touched": touched,
        "why": step.why or f"{step.role} initializer",
    }


def _std(parameter: torch.Tensor) -> float:
    if parameter.is_meta or parameter.numel() == 0:
        return float("nan")
    values = parameter.detach()
    if not values.is_floating_point():
        values = values.abs()
    return float(values.float().std(correction=0) if values.dtype != torch.float64 else values.std(correction=0))
