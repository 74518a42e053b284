"""Statistics of parameters: their values, their gradients, and the updates of one step of the optimizer."""

import copy
from collections.abc import Callable, Collection, Sequence
from math import nan
from typing import Any

import pandas as pd
import torch
from torch import nn
from typing_extensions import TypeAliasType

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.inspection._frames import parameters_frame
from initsk.inspection.statistics._layer import LayerRecord, LayerStatistics
from initsk.network import NO_GRADIENT, clean_names, dense, get_optimizer
from initsk.utils.torch_settings import in_double, real_parts, working_type

#: The name of an optimizer of torch, an optimizer, or a function that makes one from a list of parameters.
OptimizerLike = TypeAliasType(
    "OptimizerLike", str | torch.optim.Optimizer | Callable[[list[nn.Parameter]], torch.optim.Optimizer]
)


class ParameterGradients:
    """Gradient of the mean loss over a stream of batches, with respect to each parameter."""

    def __init__(self, parameters: dict[str, nn.Parameter], trained: Collection[str]) -> None:
        # The backward pass includes frozen parameters, so that activations before trained ones get gradients.
        self.differentiable = [parameter for parameter in parameters.values() if parameter.requires_grad]
        self.trained = {name: parameter for name, parameter in parameters.items() if name in trained}
        self.frozen = {id(parameter): name for name, parameter in parameters.items() if name not in trained}
        self.sums = {name: torch.zeros_like(dense(p.detach())) for name, p in self.trained.items()}
        self.n_samples = 0

    def add(self, loss: torch.Tensor, n_samples: int) -> None:
        """Run the backward pass of a batch's mean loss, and add the gradients."""
        if loss.dim():
            raise ModuleError(f"the loss has the shape {tuple(loss.shape)} (allowed: one number, such as the mean)")
        if not loss.requires_grad:
            raise ModuleError(NO_GRADIENT)
        compute = _by_backward if _is_recomputed(loss) else _by_grad
        computed = compute(loss, self.differentiable)
        if self.differentiable and all(gradient is None for gradient in computed):
            raise ModuleError(NO_GRADIENT)
        by_parameter = dict(zip(map(id, self.differentiable), computed, strict=True))
        for name, total in self.sums.items():
            gradient = by_parameter[id(self.trained[name])]
            if gradient is not None:
                total.add_(dense(gradient), alpha=n_samples)
        self.n_samples += n_samples

    def to_frame(self, optimizer: OptimizerLike | None, shown: Collection[int] | None = None) -> pd.DataFrame:
        """Return norms and their ratios, a row per parameter; without an optimizer there are no updates."""
        gradients = {name: total / max(self.n_samples, 1) for name, total in self.sums.items()}
        updates = {} if optimizer is None else _updates(self.trained, self.frozen, gradients, optimizer)
        rows = []
        for name, weight in self.trained.items():
            if shown is not None and id(weight) not in shown:
                continue
            w, g = _norm(weight), _norm(gradients[name])
            u = _norm(updates[name]) if name in updates else nan
            rows.append((name, weight.numel(), w, g, g / w if w else nan, u, u / w if w else nan))
        return parameters_frame(rows)


def _by_grad(loss: torch.Tensor, parameters: list[nn.Parameter]) -> Sequence[torch.Tensor | None]:
    return torch.autograd.grad(loss, parameters, allow_unused=True)


def _by_backward(loss: torch.Tensor, parameters: list[nn.Parameter]) -> Sequence[torch.Tensor | None]:
    """Return gradients by `backward`, which leaves the attribute `grad` of the parameters as it was."""
    before = [parameter.grad for parameter in parameters]
    try:
        for parameter in parameters:
            parameter.grad = None
        loss.backward()
        return [parameter.grad for parameter in parameters]
    finally:
        for parameter, gradient in zip(parameters, before, strict=True):
            parameter.grad = gradient


def _is_recomputed(loss: torch.Tensor) -> bool:
    """Return whether a part is checkpointed in the reentrant way, which does not allow `torch.autograd.grad`."""
    waiting, seen = [loss.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node.name().startswith("CheckpointFunction"):
            return True
        seen.add(node)
        waiting += [following for following, _ in node.next_functions]
    return False


def _norm(tensor: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(in_double(real_parts(dense(tensor.detach())))))


def _updates(
    trained: dict[str, nn.Parameter],
    frozen: dict[int, str],
    gradients: dict[str, torch.Tensor],
    optimizer: OptimizerLike,
) -> dict[str, torch.Tensor]:
    """Return the update of each parameter in one step; a copy of the optimizer takes the step on copies.

    Raises
    ------
    InvalidParameterError
        If the optimizer has other parameters, or cannot take a step from gradients only.
    """
    names = {id(parameter): name for name, parameter in trained.items()}
    if isinstance(optimizer, torch.optim.Optimizer):
        held = [p for group in optimizer.param_groups for p in group["params"]]
        others = [id(parameter) for parameter in held if id(parameter) not in names]
        if not all(key in frozen for key in others):
            raise InvalidParameterError("optimizer has parameters that do not belong to the model")
        if others:
            listed = ", ".join(frozen[key] for key in others)
            raise InvalidParameterError(f"optimizer has parameters that are frozen: {listed}")
        order = [names[id(parameter)] for parameter in held]
        stepping = copy.deepcopy(optimizer)
        copies = [p for group in stepping.param_groups for p in group["params"]]
    else:
        order = list(trained)
        copies = [nn.Parameter(dense(parameter.detach()).clone()) for parameter in trained.values()]
        make: Any = get_optimizer(optimizer) if isinstance(optimizer, str) else optimizer
        stepping = make(copies)
    for name, parameter in zip(order, copies, strict=True):
        parameter.grad = gradients[name].clone()
    try:
        stepping.step()
    except TypeError as error:
        raise InvalidParameterError(f"{type(stepping).__name__} cannot take a step from gradients alone") from error
    return {name: p.detach() - dense(trained[name].detach()) for name, p in zip(order, copies, strict=True)}


def weight_records(
    module: nn.Module, bins: int = 128, shown: Collection[int] | None = None
) -> dict[tuple[str, str], LayerRecord]:
    """Return the statistics of every real parameter that has values, by its layer and its name in the layer.

    `shown` has the identities of the parameters to describe; None is all.

    Units are the rows of the stored tensor: outputs of linear layers and of convolutions.
    """
    found = {}
    clean = clean_names(module)
    for path, part in module.named_modules():
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.numel() and not parameter.is_complex() and (shown is None or id(parameter) in shown):
                values = dense(parameter.detach())
                rows = values.to(working_type(values.dtype)).reshape(values.shape[0] if values.ndim else 1, -1).T
                statistics = LayerStatistics(bins, measures=()).update(rows)
                found[clean[path], name] = LayerRecord(type(part).__name__, "", statistics)
    return found
