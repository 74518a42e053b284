"""The optimizer of a training, in any form, and the same optimizer for a copy of the network."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from initsk.estimators import OPTIMIZERS
from initsk.exceptions import InvalidParameterError
from initsk.utils.validation import unknown_name

_ADAPTIVE = ("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SparseAdam")
# A module whose optimizer tells class and learning rate; it draws no random numbers.
_ONE = nn.ParameterList([nn.Parameter(torch.zeros(1))])
#: A name, an optimizer, its class, or a function of the parameters that makes one.
OptimizerChoice = str | torch.optim.Optimizer | type[torch.optim.Optimizer] | Callable[[Any], torch.optim.Optimizer]


@dataclass(frozen=True)
class OptimizerPlan:
    """How the optimizer for a copy of a module is made.

    Parameters
    ----------
    choice : str, torch optimizer or its class, or callable
        As given to `diagnose`.
    module : torch.nn.Module
        The module whose parameters an optimizer that is given as an instance has.
    lr : float or None
        Learning rate instead of the optimizer's own; if groups of parameters have different rates, that of the first
        group, and the others keep their ratio to it.
    """

    choice: OptimizerChoice
    module: nn.Module
    lr: float | None = None

    def make(self, module: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer for a copy of the module."""
        made = self._copied(module) if isinstance(self.choice, torch.optim.Optimizer) else self._new(module)
        if self.lr is not None:
            factor = self.lr / float(made.param_groups[0]["lr"])
            for group in made.param_groups:
                group["lr"] = float(group["lr"]) * factor
        return made

    def moved(self, module: nn.Module) -> "OptimizerPlan":
        """Return the plan for another copy of the module; later steps of the given optimizer do not change it."""
        if not isinstance(self.choice, torch.optim.Optimizer):
            return OptimizerPlan(self.choice, module, self.lr)
        return OptimizerPlan(self._copied(module), module, self.lr)

    def rate(self) -> float:
        """Return the learning rate of the first group of parameters."""
        if self.lr is not None:
            return float(self.lr)
        if isinstance(self.choice, torch.optim.Optimizer):
            return float(self.choice.param_groups[0]["lr"])
        return float(self._new(_ONE).param_groups[0]["lr"])

    @property
    def kind(self) -> type[torch.optim.Optimizer]:
        """The class of the optimizer."""
        if isinstance(self.choice, str):
            return OPTIMIZERS[self.choice]
        if isinstance(self.choice, type):
            return self.choice
        return type(self.choice if isinstance(self.choice, torch.optim.Optimizer) else self._new(_ONE))

    @property
    def is_adaptive(self) -> bool:
        """Whether the optimizer divides by the size of recent gradients, as Adam does."""
        return any(base.__name__ in _ADAPTIVE for base in self.kind.__mro__)

    def _new(self, module: nn.Module) -> torch.optim.Optimizer:
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if isinstance(self.choice, str):
            return OPTIMIZERS[self.choice](trained)
        make: Any = self.choice
        made = make(trained)
        if not isinstance(made, torch.optim.Optimizer):
            raise InvalidParameterError(
                f"optimizer={self.choice!r} returns {type(made).__name__} (allowed: a function of a list of parameters"
                " that returns a torch optimizer)"
            )
        return made

    def _copied(self, module: nn.Module) -> torch.optim.Optimizer:
        """Return a copy of the given optimizer, with its settings and its state, for the parameters of the copy."""
        given: Any = self.choice
        copied = dict(module.named_parameters(remove_duplicate=False))
        # Layers with a copy method of their own may untie what was tied, so names and not places are matched.
        copies = {id(p): copied[name] for name, p in self.module.named_parameters(remove_duplicate=False)}
        memo: dict[int, Any] = {**copies}
        held = [parameter for group in given.param_groups for parameter in group["params"]]
        if not any(id(parameter) in copies for parameter in held):
            raise InvalidParameterError("optimizer has no parameter of the model (allowed: an optimizer of this model)")
        made = copy.deepcopy(given, memo)
        # A copy has only what torch saves of an optimizer.
        for name in vars(given).keys() - vars(made).keys():
            setattr(made, name, copy.deepcopy(getattr(given, name), memo))
        own = set(map(id, copies.values()))
        for group in made.param_groups:
            group["params"] = [p for p in group["params"] if id(p) in own]
        made.param_groups = [group for group in made.param_groups if group["params"]]
        return made


def check_optimizer(optimizer: Any) -> None:
    """Raise InvalidParameterError if a value is no optimizer in a form that `OptimizerPlan` takes.

    Examples
    --------
    >>> check_optimizer("adam")
    """
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            allowed = ", or an optimizer of torch, its class, or a function of parameters that returns one"
            raise InvalidParameterError(unknown_name("optimizer", optimizer, OPTIMIZERS) + allowed)
    elif not (optimizer is None or isinstance(optimizer, torch.optim.Optimizer) or callable(optimizer)):
        raise InvalidParameterError(
            f"optimizer={optimizer!r} is not allowed (a name, an optimizer of torch, its class, or a function of"
            " parameters that returns one)"
        )
