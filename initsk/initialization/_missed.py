"""Weights that an initialization does not fill: an error if it fills none, a warning if it leaves some."""

import warnings
from collections.abc import Iterable, Sequence

from initsk.exceptions import InvalidParameterError, UninitializedWarning
from initsk.initialization._fill import FillStep
from initsk.initializers import Choice
from initsk.network import PlannedParameter
from initsk.text import visible
from initsk.utils.words import counted

_SHOWN = 5


def unfilled_reason(choices: Iterable[tuple[PlannedParameter, Sequence[Choice]]]) -> str:
    """Return why an initializer fills nothing in a network with weights; "" if it fills a parameter.

    Biases that are zero by default do not count.

    Parameters
    ----------
    choices : iterable of (PlannedParameter, sequence of Choice)
        What `choices_for` returns.
    """
    pairs = list(choices)
    weights = [(plan, chosen) for plan, chosen in pairs if _may_be_weight(plan)]
    if not weights or any(not choice.is_default for _, chosen in pairs for choice in chosen):
        return ""
    return "; ".join(dict.fromkeys(_reason(plan) for plan, _ in weights))


def check_filled(steps: Sequence[FillStep]) -> None:
    """Raise if there are weights and nothing is filled, or the initializer chooses nothing for weights it could fill.

    Raises
    ------
    InvalidParameterError
        With the reasons.
    """
    reason = unfilled_reason((step.plan, step.choices) for step in steps)
    only_biases = any(step.choices for step in steps) and not any(_could_be_filled(step.plan) for step in steps)
    if reason and not only_biases:
        raise InvalidParameterError(
            f"initialize has filled no weight: {reason} (allowed: an X that the network takes, parameters that require"
            " gradients, network.register_layer for layers that are not known, or overwrite=True for deliberate values)"
        )


def _may_be_weight(plan: PlannedParameter) -> bool:
    unknown = bool(plan.specs) and plan.specs[0].kind == "other" and not plan.is_kept
    return unknown or (plan.tensor.dim() >= 2 and not plan.is_normalization)


def _reason(plan: PlannedParameter) -> str:
    return "the initializer chooses nothing for weights" if _could_be_filled(plan) else plan.left_reason


def _could_be_filled(plan: PlannedParameter) -> bool:
    return plan.role == "weight" and bool(plan.specs) and plan.specs[0].is_known and not plan.deliberate


def warn_of_missed(steps: Sequence[FillStep]) -> None:
    """Warn of weights that multiply a signal, as far as is known, and are not filled."""
    missed = [step.plan for step in steps if not step.choices and step.plan.may_be_missed]
    if missed:
        names = [plan.name for plan in missed]
        shown = visible(", ".join(names[:_SHOWN])) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        total = sum(step.plan.tensor.numel() for step in steps)
        share = 100 * sum(plan.tensor.numel() for plan in missed) / total
        warnings.warn(
            f"initialize leaves {counted(len(names), 'weight')} unfilled, with {share:.3g} % of the values: {shown}"
            f" ({missed[0].left_reason}; give X, or register the layers with network.register_layer)",
            UninitializedWarning,
            stacklevel=4,
        )
