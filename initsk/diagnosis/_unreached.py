"""Layers that a training leaves as they are: cut off from the loss, not used by it, or not in the optimizer."""

from collections.abc import Iterable
from math import prod
from typing import NamedTuple

import torch
from torch import nn

from initsk.diagnosis._objective import Objective
from initsk.network import Batch, copy_of_module, preserve_state

# Losses that differ by less are equal, apart from rounding.
_ROUNDING = 1e-6


class Unreached(NamedTuple):
    """A layer that stays as it is, how many values it has, and why.

    The kinds are "cut off" (the loss depends on it, and it gets no gradient), "unused" (the loss does not), and
    "left out" (no group of the optimizer has its parameters).
    """

    layer: str
    n_values: int
    kind: str


def unreached_layers(
    module: nn.Module, names: tuple[str, ...], batch: Batch, objective: Objective, seed: int
) -> list[Unreached]:
    """Return the layers of parameters without a gradient, by a forward pass with other values for each layer.

    Parameters
    ----------
    module : torch.nn.Module
    names : tuple of str
        The parameters.
    batch : Batch
    objective : Objective
    seed : int
        Of what the module draws.
    """
    layers = _by_layer(names)
    memo: dict[int, object] = {}
    copied = copy_of_module(module, memo)
    objective, values = objective.copied(memo), dict(copied.named_parameters())

    def loss_without(changed: list[str]) -> float:
        """Return the loss with some parameters doubled and shifted."""
        with preserve_state(copied, training=True, gradients=False, seed=seed):
            before = [values[name].clone() for name in changed]
            for name in changed:
                values[name].mul_(2).add_(1)
            loss = float(objective.loss(batch.copied().run(copied), batch.target, batch.data))
            for name, value in zip(changed, before, strict=True):
                values[name].copy_(value)
        return loss

    start = loss_without([])

    def is_used(changed: list[str]) -> bool:
        # NaN is a difference too.
        return not abs(loss_without(changed) - start) <= _ROUNDING * max(abs(start), 1.0)

    any_used = is_used(list(names))
    kinds = {layer: "cut off" if any_used and is_used(own) else "unused" for layer, own in layers.items()}
    return [_unreached(layer, own, values, kinds[layer]) for layer, own in layers.items()]


def left_out_layers(module: nn.Module, optimizer: torch.optim.Optimizer) -> list[Unreached]:
    """Return the layers with parameters that need a gradient and are in no group of a module's optimizer."""
    known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    values = {name: p for name, p in module.named_parameters() if p.requires_grad and id(p) not in known}
    return [_unreached(layer, own, values, "left out") for layer, own in _by_layer(values).items()]


def _by_layer(names: Iterable[str]) -> dict[str, list[str]]:
    layers: dict[str, list[str]] = {}
    for name in names:
        layers.setdefault(name.rpartition(".")[0] or name, []).append(name)
    return layers


def _unreached(layer: str, names: list[str], values: dict[str, nn.Parameter], kind: str) -> Unreached:
    return Unreached(layer, sum(prod(values[name].shape) for name in names), kind)
