"""Whether a loss compares every output with every target, because their shapes are broadcast."""

from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from initsk.diagnosis._objective import Objective
from initsk.exceptions import ModuleError
from initsk.network import Batch, Model, preserve_state

# Losses of torch that broadcast inside.
_LOSSES = (
    functional.mse_loss, functional.l1_loss, functional.smooth_l1_loss, functional.huber_loss,
    functional.poisson_nll_loss,
)  # fmt: skip


def pairs_in_loss(model: Model, objective: Objective, batch: Batch, seed: int) -> float:
    """Return with how many targets the loss compares each output; 1 if it compares each one with its own.

    Parameters
    ----------
    model : Model
    objective : Objective
    batch : Batch
    seed : int
        Of what the module and the loss draw.
    """
    with preserve_state(model.module, training=False, gradients=True, seed=seed):
        output = batch.copied().run(model.module)
        seen = _Pairs()
        try:
            with seen:
                objective.loss(output, batch.target, batch.data)
        except ModuleError:
            # A compiled loss may not run inside of a mode of torch.
            return 1.0
    return seen.factor


class _Pairs(TorchFunctionMode):
    """Looks for functions of an output and of as many targets whose shapes are broadcast to one with more values."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = 1.0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        values = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
        # Only outputs depend on parameters. A loss that forms pairs on purpose combines outputs with outputs.
        if len(values) == 2 and values[0].requires_grad != values[1].requires_grad:
            n_results = _n_broadcast(*values)
            is_elementwise = isinstance(result, torch.Tensor) and result.numel() == n_results
            if n_results and (is_elementwise or func in _LOSSES):
                self.factor = max(self.factor, n_results / values[0].numel())
        return result


def _n_broadcast(first: torch.Tensor, second: torch.Tensor) -> int:
    """Return the number of values of the common shape of two tensors that differ in axes of length 1; otherwise 0."""
    if first.shape == second.shape or first.squeeze().shape != second.squeeze().shape:
        return 0
    try:
        return torch.broadcast_shapes(first.shape, second.shape).numel()
    except RuntimeError:
        return 0
