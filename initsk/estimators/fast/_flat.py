"""All parameters of a module in one tensor, so that an optimizer's step is one call.

An optimization: parameters, gradients and the optimizer's state must equal, to rounding, those after the optimizer's
own steps. `can_be_flat` finds the optimizers for which they do.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, cast

import torch
from torch import nn

from initsk.network import any_optimizer_has_hooks, has_hooks

#: Optimizers that move each value by its own gradient only, so that it does not matter which tensor holds the value.
ELEMENTWISE = (
    torch.optim.Adadelta, torch.optim.Adagrad, torch.optim.Adam, torch.optim.Adamax, torch.optim.AdamW,
    torch.optim.NAdam, torch.optim.RAdam, torch.optim.RMSprop, torch.optim.SGD,
)  # fmt: skip


class FlatOptimizer:
    """A copy of an optimizer and its parameters in one flat tensor.

    Attributes
    ----------
    values, gradients : list of tensor
        One per parameter, in the optimizer's order and in the parameters' shapes; views of the flat tensors.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, dtype: torch.dtype) -> None:
        self.original = optimizer
        self.dtype = dtype
        self.parameters: list[torch.Tensor] = optimizer.param_groups[0]["params"]
        self.flat = nn.Parameter(self._join(self.parameters))
        self.flat.grad = torch.zeros_like(self.flat)
        self.values = self._views(self.flat.detach())
        self.gradients = self._views(self.flat.grad)
        kind: Any = type(optimizer)
        self.optimizer: torch.optim.Optimizer = kind([self.flat])
        self.optimizer.param_groups[0] |= optimizer.param_groups[0] | {"params": [self.flat]}
        self.optimizer.state[self.flat].update(self._join_states([optimizer.state[p] for p in self.parameters]))
        # torch wraps a step for hooks and profilers; `can_be_flat` excludes hooks.
        self._plain_step = partial(inspect.unwrap(kind.step), self.optimizer)
        self._step: Callable[[], object] | None = None

    def step(self) -> None:
        """Move the values by the gradients; the caller turns the recording of gradients off."""
        if self._step is not None:
            self._step()
        else:
            # The first step creates the optimizer's state.
            self._plain_step()
            self._step = _adam_step(self.optimizer, self.flat) or self._plain_step

    def write_back(self) -> None:
        """Copy values, gradients and the optimizer's state back to the parameters and the original optimizer."""
        state = self.optimizer.state[self.flat]
        parts = {name: self._split(value) for name, value in state.items()}
        # Schedulers of the learning rate expect a step of the original; without gradients it changes nothing.
        self.original.zero_grad()
        self.original.step()
        with torch.no_grad():
            for number, parameter in enumerate(self.parameters):
                parameter.copy_(self.values[number])
                parameter.grad = self.gradients[number].to(parameter.dtype, copy=True)
                self.original.state[parameter].update({name: split[number] for name, split in parts.items()})

    def _join(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat([tensor.detach().flatten() for tensor in tensors]).to(self.dtype)

    def _views(self, flat: torch.Tensor) -> list[torch.Tensor]:
        sizes = [parameter.numel() for parameter in self.parameters]
        return [part.view_as(p) for part, p in zip(flat.split(sizes), self.parameters, strict=True)]

    def _join_states(self, states: list[dict[str, Any]]) -> dict[str, Any]:
        """Join the states per value; a state per parameter, such as the number of steps, is the same for all."""
        joined = {}
        for name, first in states[0].items():
            if isinstance(first, torch.Tensor) and first.shape == self.parameters[0].shape:
                joined[name] = self._join([state[name] for state in states])
            else:
                joined[name] = first.clone() if isinstance(first, torch.Tensor) else first
        return joined

    def _split(self, value: Any) -> list[Any]:
        if isinstance(value, torch.Tensor) and value.shape == self.flat.shape:
            pairs = zip(self._views(value), self.parameters, strict=True)
            return [part.to(parameter.dtype, copy=True) for part, parameter in pairs]
        return [value.clone() if isinstance(value, torch.Tensor) else value for _ in self.parameters]


def _adam_step(optimizer: torch.optim.Optimizer, flat: torch.Tensor) -> Callable[[], object] | None:
    """Return a step of fused Adam as one call of torch's kernel, or None; the optimizer's options must not change.

    The kernel has no public name. It is compared with the optimizer's own step before its first use.
    """
    group = optimizer.param_groups[0]
    if not isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW) or not group["fused"]:
        return None
    decoupled = isinstance(optimizer, torch.optim.AdamW) or group.get("decoupled_weight_decay", False)
    kernel, kind = getattr(torch, "_fused_adamw_" if decoupled else "_fused_adam_", None), cast(Any, type(optimizer))
    return _kernel_step(kernel, optimizer, flat) if _kernel_equals_optimizer(kernel, kind, decoupled) else None


@cache
def _kernel_equals_optimizer(kernel: Any, kind: Any, decoupled: bool) -> bool:
    """Return whether the kernel does what the optimizer's own step does."""
    results = []
    with torch.inference_mode(False), torch.no_grad():
        for by_kernel in (False, True):
            parameter = nn.Parameter(torch.linspace(-1, 1, 5, device="cpu"))
            parameter.grad = torch.linspace(1, 2, 5, device="cpu")
            optimizer = kind([parameter], lr=0.1, weight_decay=0.1, amsgrad=True, fused=True)
            optimizer.param_groups[0] |= {"decoupled_weight_decay": decoupled}
            optimizer.step()
            try:
                _kernel_step(kernel, optimizer, parameter)() if by_kernel else optimizer.step()
            except Exception:  # a changed kernel may raise anything
                return False
            results.append([parameter, *optimizer.state[parameter].values()])
    return all(torch.equal(expected, found) for expected, found in zip(*results, strict=True))


def _kernel_step(kernel: Any, optimizer: torch.optim.Optimizer, flat: torch.Tensor) -> Callable[[], object]:
    """Return a function that calls Adam's kernel with the optimizer's options and state."""
    group, state = optimizer.param_groups[0], optimizer.state[flat]
    lists = [[flat.detach()], [flat.grad], [state["exp_avg"]], [state["exp_avg_sq"]]]
    lists += [[state["max_exp_avg_sq"]] if group["amsgrad"] else [], [state["step"]]]
    beta1, beta2 = group["betas"]
    options = {name: group[name] for name in ("lr", "weight_decay", "eps", "amsgrad", "maximize")}
    update = partial(kernel, *lists, beta1=beta1, beta2=beta2, **options)
    count, one = state["step"], torch.ones_like(state["step"])

    def step() -> None:
        count.add_(one)
        update()

    return step


@contextmanager
def flattened(optimizer: torch.optim.Optimizer, dtype: torch.dtype) -> Iterator[FlatOptimizer]:
    """Yield a flat copy of type `dtype`; any exit of the block writes its values back to the original."""
    flat = FlatOptimizer(optimizer, dtype)
    try:
        yield flat
    finally:
        flat.write_back()


def can_be_flat(optimizer: torch.optim.Optimizer, parameters: Sequence[torch.Tensor]) -> bool:
    """Return whether training one flat tensor gives the same values as training these parameters.

    Examples
    --------
    >>> parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3, 2))]
    >>> can_be_flat(torch.optim.Adam(parameters), parameters)
    True
    >>> can_be_flat(torch.optim.LBFGS(parameters), parameters)
    False
    """
    groups = optimizer.param_groups
    return (
        type(optimizer) in ELEMENTWISE
        and len(groups) == 1
        and [id(p) for p in groups[0]["params"]] == [id(p) for p in parameters]
        and all(p.dtype == parameters[0].dtype and p.device == parameters[0].device for p in parameters)
        and not (has_hooks(optimizer) or any_optimizer_has_hooks())
        and _equally_many_steps([optimizer.state[p] for p in parameters if p in optimizer.state], len(parameters))
    )


def _equally_many_steps(states: list[dict[str, Any]], n_parameters: int) -> bool:
    """Return whether all parameters have taken the same number of steps."""
    steps = [float(state["step"]) for state in states if "step" in state]
    return len(states) in (0, n_parameters) and len(set(steps)) <= 1
