"""Layers that get no gradient: those that the loss does not use, and those that something cuts off."""

from math import prod
from typing import NamedTuple

from torch import nn

from initsk.diagnosis._objective import Objective
from initsk.network import Batch, copy_of_module, preserve_state

# Losses that differ by less are equal, apart from rounding.
_ROUNDING = 1e-6


class Unreached(NamedTuple):
    """A layer whose parameters got no gradient, how many values they have, and whether the loss depends on them."""

    layer: str
    n_values: int
    is_used: bool


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
    layers: dict[str, list[str]] = {}
    for name in names:
        layers.setdefault(name.rpartition(".")[0] or name, []).append(name)
    memo: dict[int, object] = {}
    copied = copy_of_module(module, memo)
    objective, values = objective.copied(memo), dict(copied.named_parameters())

    def loss_without(changed: list[str]) -> float:
        """Return the loss with some parameters doubled and shifted."""
        with preserve_state(copied, training=True, gradients=False, seed=seed):
            before = [values[name].clone() for name in changed]
            for name in changed:
                values[name].mul_(2).add_(1)
            loss = float(objective.loss(batch.copied().run(copied), batch.target))
            for name, value in zip(changed, before, strict=True):
                values[name].copy_(value)
        return loss

    start = loss_without([])

    def is_used(changed: list[str]) -> bool:
        # NaN is a difference too.
        return not abs(loss_without(changed) - start) <= _ROUNDING * max(abs(start), 1.0)

    any_used = is_used(list(names))
    return [
        Unreached(layer, sum(prod(values[name].shape) for name in own), any_used and is_used(own))
        for layer, own in layers.items()
    ]
