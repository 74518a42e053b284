"""The options of `diagnose`: defaults, and what is allowed."""

from collections.abc import Mapping
from typing import Any

from initsk.network import check_criterion, check_optimizer
from initsk.utils.random import check_random_state
from initsk.utils.validation import Constraint, allow, check_parameters, integer, optional, real, resolved_by

#: Steps of a training where nothing says how many.
BUDGET = 500
#: Loss, relative to the baseline loss, at which training has succeeded.
TARGET = 0.8
TRIAL_STEPS = 32
MAX_SAMPLES = 512
#: Options that are not given.
DEFAULTS: dict[str, Any] = {
    "optimizer": None, "lr": None, "criterion": None, "output": None, "budget": None, "target": TARGET,
    "trial_steps": TRIAL_STEPS, "batch_size": None, "max_samples": MAX_SAMPLES, "time_limit": None,
}  # fmt: skip


def _is_picker(value: Any) -> bool:
    return (isinstance(value, str | int) and not isinstance(value, bool)) or callable(value)


CONSTRAINTS: dict[str, Constraint] = {
    "optimizer": resolved_by(check_optimizer),
    "lr": optional(real(above=0)),
    "criterion": resolved_by(check_criterion),
    "output": optional(allow(_is_picker, "a name, an index, or a function of the module's output")),
    "budget": optional(integer(1)),
    "target": real(above=0),
    "trial_steps": integer(0),
    "batch_size": optional(integer(1)),
    "max_samples": integer(2),
    "time_limit": optional(real(above=0)),
    "random_state": resolved_by(check_random_state),
}


def check_options(owner: str, options: Mapping[str, Any]) -> None:
    """Raise InvalidParameterError, with all mistakes in one message, if an option is not allowed."""
    check_parameters(owner, dict(options), {name: CONSTRAINTS[name] for name in options})
