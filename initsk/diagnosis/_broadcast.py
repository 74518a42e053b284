"""Whether a loss compares every output with every target, because their shapes are broadcast."""

from itertools import combinations
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
    functional.poisson_nll_loss, functional.gaussian_nll_loss, functional.kl_div, functional.hinge_embedding_loss,
    functional.pairwise_distance, torch.dist,
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
    """Looks for functions of an output and of as many targets whose shapes are broadcast to one with more values.

    A loss that forms pairs on purpose, such as one of sets or of contrasts, combines outputs with outputs, or gives
    both tensors a new axis, or transposes one of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.factor = 1.0
        self._with_axis: set[torch.Tensor] = set()
        self._transposed: set[torch.Tensor] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        values = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
        if isinstance(result, torch.Tensor):
            self._note(values, result)
        for first, second in combinations(values, 2):
            n_results = 0 if self._is_on_purpose(first, second) else _n_broadcast(first, second)
            is_elementwise = isinstance(result, torch.Tensor) and result.numel() == n_results
            if n_results and (is_elementwise or func in _LOSSES):
                self.factor = max(self.factor, n_results / first.numel())
        return result

    def _note(self, values: list[torch.Tensor], result: torch.Tensor) -> None:
        """Note that a result has got an axis of length 1 or was transposed, or follows from such a tensor."""
        for noted in (self._with_axis, self._transposed):
            if not noted.isdisjoint(values):
                noted.add(result)
        if len(values) == 1 and _differ_in_ones(values[0], result):
            n_added = result.dim() - values[0].dim()
            if n_added > 0:
                self._with_axis.add(result)
            elif n_added == 0:
                self._transposed.add(result)

    def _is_on_purpose(self, first: torch.Tensor, second: torch.Tensor) -> bool:
        both = {first, second}
        # Only outputs depend on parameters.
        return first.requires_grad == second.requires_grad or both <= self._with_axis or bool(both & self._transposed)


def _differ_in_ones(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Return whether two shapes differ, and only in axes of length 1."""
    return first.shape != second.shape and first.squeeze().shape == second.squeeze().shape


def _n_broadcast(first: torch.Tensor, second: torch.Tensor) -> int:
    """Return the number of values of the common shape of two tensors that differ in axes of length 1; otherwise 0."""
    if not _differ_in_ones(first, second):
        return 0
    try:
        return torch.broadcast_shapes(first.shape, second.shape).numel()
    except RuntimeError:
        return 0
