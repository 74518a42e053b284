"""Weights that an initialization does not fill: an error if it fills none, a warning if it leaves some."""

import warnings
from collections.abc import Sequence

from initsk.exceptions import InvalidParameterError, UninitializedWarning
from initsk.initialization._fill import FillStep

_SHOWN = 5


def check_filled(steps: Sequence[FillStep]) -> None:
    """Raise if there are weights and none of them is filled.

    Raises
    ------
    InvalidParameterError
        With the reasons.
    """
    weights = [step for step in steps if step.plan.tensor.dim() >= 2 and not step.plan.is_normalization]
    if weights and not any(step.choices for step in steps):
        reasons = "; ".join(dict.fromkeys(step.plan.left_reason for step in weights))
        raise InvalidParameterError(
            f"initialize has filled nothing: {reasons} (allowed: an X that the network takes, parameters that require"
            " gradients, network.register_layer for layers that are not known, or overwrite=True for deliberate values)"
        )


def warn_of_missed(steps: Sequence[FillStep]) -> None:
    """Warn of weights that multiply a signal, as far as is known, and were not filled."""
    missed = [step.plan for step in steps if not step.choices and step.plan.may_be_missed]
    if missed:
        names = [plan.name for plan in missed]
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        total = sum(step.plan.tensor.numel() for step in steps)
        share = 100 * sum(plan.tensor.numel() for plan in missed) / total
        warnings.warn(
            f"initialize has left {len(names)} weights with {share:.3g} % of the values as they were: {shown}"
            f" ({missed[0].left_reason}; give X, or register the layers with network.register_layer)",
            UninitializedWarning,
            stacklevel=3,
        )
