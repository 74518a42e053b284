"""Errors about parameters that an estimator does not have; they name the parameter with the same meaning."""

import inspect
from collections.abc import Iterable
from functools import wraps
from typing import Any, TypeVar

from initsk.utils.spelling import meant_name

_Class = TypeVar("_Class", bound=type[Any])
_WEIGHT_DECAY = 'optimizer_params={"weight_decay": '
_BETAS = 'optimizer_params={"betas": (beta_1, beta_2)}'
_SCHEDULE = "callbacks=[skorch.callbacks.LRScheduler(...)]"
#: What the multilayer perceptrons have for the parameters of scikit-learn's, and for usual names of Keras and torch.
OTHER_NAMES = {
    "solver": "optimizer",
    "alpha": f"{_WEIGHT_DECAY}alpha / batch_size}}",
    "learning_rate_init": "lr",
    "learning_rate": f"lr, or {_SCHEDULE} for a schedule",
    "power_t": _SCHEDULE,
    "max_iter": "max_epochs",
    "shuffle": "every epoch shuffles the samples",
    "momentum": 'optimizer_params={"momentum": momentum}',
    "nesterovs_momentum": 'optimizer_params={"nesterov": nesterovs_momentum}',
    "beta_1": _BETAS,
    "beta_2": _BETAS,
    "epsilon": 'optimizer_params={"eps": epsilon}',
    "n_iter_no_change": "patience",
    "max_fun": 'optimizer_params={"max_eval": max_fun} of optimizer="lbfgs"',
    "loss": "a regressor minimizes the squared error, and a classifier the cross-entropy",
    "epochs": "max_epochs",
    "n_epochs": "max_epochs",
    "weight_decay": f"{_WEIGHT_DECAY}weight_decay}}",
    "kernel_initializer": "initializer",
    "dropout_rate": "dropout",
    "seed": "random_state",
    "n_jobs": "n_threads",
}


def describe_unknown(names: Iterable[str], known: Iterable[str]) -> str:
    """Return unknown names of parameters, each with the parameter that has its meaning, and the known names.

    Examples
    --------
    >>> describe_unknown(["max_iter", "tool", "x"], ["max_epochs", "tol"])
    "'max_iter' (here: max_epochs), 'tool' (did you mean 'tol'?), 'x'. Allowed: max_epochs, tol"
    """
    known = list(known)
    parts = []
    for name in names:
        meant = meant_name(name, {own: own for own in known})
        hint = f"here: {OTHER_NAMES[name]}" if name in OTHER_NAMES else meant and f"did you mean {meant!r}?"
        parts.append(f"{name!r} ({hint})" if hint else repr(name))
    return f"{', '.join(parts)}. Allowed: {', '.join(known)}"


def explain_unknown_parameters(cls: _Class) -> _Class:
    """Decorate a class so that the TypeError for unknown keyword arguments names the parameters that are meant.

    The signature stays that of the constructor, which scikit-learn reads.
    """
    init = cls.__init__
    known = [name for name in inspect.signature(init).parameters if name != "self"]

    @wraps(init)
    def explained(self: Any, *args: Any, **kwargs: Any) -> None:
        unknown = [name for name in kwargs if name not in known]
        if unknown:
            noun = "an unexpected keyword argument" if len(unknown) == 1 else "unexpected keyword arguments"
            raise TypeError(f"{type(self).__name__}() got {noun}: {describe_unknown(unknown, known)}")
        init(self, *args, **kwargs)

    cls.__init__ = explained
    return cls
