"""The optimizer of a training, in any form, and the same optimizer for a copy of the network."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from typing_extensions import TypeAliasType

from initsk.diagnosis._saving import savable
from initsk.diagnosis._unreached import Unreached, left_out_layers
from initsk.exceptions import InitskError, InvalidParameterError, ModuleError
from initsk.network import get_optimizer
from initsk.utils.cached import cached_property
from initsk.utils.words import counted

_ADAPTIVE = ("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SparseAdam")
#: A name, an optimizer, its class, or a function of the parameters that makes one.
OptimizerChoice = TypeAliasType(
    "OptimizerChoice",
    str | torch.optim.Optimizer | type[torch.optim.Optimizer] | Callable[[Any], torch.optim.Optimizer],
)


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
        group with a rate above 0, and the others keep their ratio to it.
    """

    choice: OptimizerChoice
    module: nn.Module
    lr: float | None = None

    def make(self, module: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer for a copy of the module."""
        made = self._copied(module) if isinstance(self.choice, torch.optim.Optimizer) else self._new(module)
        if self.lr is not None:
            for group, rate in zip(made.param_groups, self._scaled(_rates(made)), strict=True):
                group["lr"] = rate
        return made

    def moved(self, module: nn.Module) -> "OptimizerPlan":
        """Return the plan for another copy of the module; later steps of the given optimizer do not change it."""
        if not isinstance(self.choice, torch.optim.Optimizer):
            return OptimizerPlan(self.choice, module, self.lr)
        return OptimizerPlan(self._copied(module), module, self.lr)

    def rate(self) -> float:
        """Return the learning rate of the first group of parameters that has one above 0.

        Raises
        ------
        InvalidParameterError
            If all are 0.
        """
        rates = _rates_now(self._example)
        rate = _first(rates) if self.lr is None else self.lr
        if not rate > 0:
            raise InvalidParameterError(
                "optimizer has the learning rate 0, as before the first step of a warmup (allowed: lr=, the learning"
                " rate of the training)"
            )
        return float(rate)

    def rates(self) -> list[float]:
        """Return the learning rates of all groups of parameters."""
        return self._scaled(_rates(self._example))

    def _scaled(self, rates: list[float]) -> list[float]:
        if self.lr is None:
            return rates
        first = _first(rates)
        return [self.lr * rate / first if first else self.lr for rate in rates]

    def __deepcopy__(self, memo: dict[int, Any]) -> "OptimizerPlan":
        return self.moved(copy.deepcopy(self.module, memo))

    def __getstate__(self) -> dict[str, Any]:
        choice = savable("optimizer", self.choice)
        # Class and learning rate are still known where the function is not.
        return vars(self) | {"choice": choice} | ({} if choice is self.choice else {"_example": self._example})

    def left_out(self) -> list[Unreached]:
        """Return the layers with parameters that need a gradient and that the optimizer does not have."""
        return left_out_layers(self.module, self._example)

    @property
    def kind(self) -> type[torch.optim.Optimizer]:
        """The class of the optimizer."""
        return type(self._example)

    @cached_property
    def _example(self) -> torch.optim.Optimizer:
        """The given optimizer, or a new one for the module, which tells class and learning rate and takes no step."""
        made = self.choice if isinstance(self.choice, torch.optim.Optimizer) else self._new(self.module)
        if any("lr" not in group for group in made.param_groups):
            raise InvalidParameterError(
                f"{type(made).__name__} has no learning rate (allowed: an optimizer with 'lr' in its groups of"
                " parameters)"
            )
        return made

    @property
    def is_adaptive(self) -> bool:
        """Whether the optimizer divides by the size of recent gradients, as Adam does."""
        return any(base.__name__ in _ADAPTIVE for base in self.kind.__mro__)

    def _new(self, module: nn.Module) -> torch.optim.Optimizer:
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not trained:
            raise ModuleError("no parameter is trained, so there are no gradients")
        make: Any = get_optimizer(self.choice) if isinstance(self.choice, str) else self.choice
        try:
            made = make(trained)
        except InitskError:
            raise
        except (RuntimeError, TypeError, ValueError) as error:
            raise InvalidParameterError(
                f"optimizer={self.choice!r} cannot be made for the {counted(len(trained), 'trained parameter')} of the"
                f" network: {error} (allowed: a class or a function that takes a list of them)"
            ) from error
        if not isinstance(made, torch.optim.Optimizer):
            raise InvalidParameterError(
                f"optimizer={self.choice!r} returns {type(made).__name__} (allowed: a function of a list of parameters"
                " that returns a torch optimizer)"
            )
        return _only(made, trained)

    def _copied(self, module: nn.Module) -> torch.optim.Optimizer:
        """Return a copy of the given optimizer, with its settings and its state, for the parameters of the copy."""
        given: Any = self.choice
        copied = dict(module.named_parameters(remove_duplicate=False))
        # Layers with a copy method of their own may untie what was tied, so names and not places are matched.
        copies = {id(p): copied[name] for name, p in self.module.named_parameters(remove_duplicate=False)}
        memo: dict[int, Any] = {**copies}
        made = copy.deepcopy(given, memo)
        for name, value in vars(given).items():
            # A copy has only what torch saves of an optimizer: no hooks, for example. A function in the place of a
            # method, which a scheduler of the learning rate sets, would take the steps of the original.
            is_lost = name not in vars(made) or (isinstance(value, dict) and not vars(made)[name])
            if is_lost and not hasattr(type(given), name):
                setattr(made, name, copy.deepcopy(value, memo))
        return _only(made, list(copies.values()))


def _only(made: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return an optimizer without parameters of other modules, which would change in a trial."""
    own = set(map(id, parameters))
    for group in made.param_groups:
        group["params"] = [parameter for parameter in group["params"] if id(parameter) in own]
    made.param_groups = [group for group in made.param_groups if group["params"]]
    if not made.param_groups:
        raise InvalidParameterError(
            "optimizer has no parameter of the model (allowed: an optimizer of this model, or a function of a list of"
            " parameters that uses its argument)"
        )
    return made


def _rates(optimizer: torch.optim.Optimizer) -> list[float]:
    """Return the learning rates of the groups; if all are 0, those before a scheduler changed them."""
    rates = _rates_now(optimizer)
    return rates if any(rates) else [float(group.get("initial_lr", 0.0)) for group in optimizer.param_groups]


def _rates_now(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def _first(rates: Iterable[float]) -> float:
    return next((rate for rate in rates if rate > 0), 0.0)
