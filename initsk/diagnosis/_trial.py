"""Trial steps: a few steps of training on a copy of a network."""

import inspect
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf, isfinite, nan
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from initsk.diagnosis._objective import Objective
from initsk.diagnosis._optimizers import OptimizerPlan
from initsk.diagnosis._samples import Samples
from initsk.exceptions import InitskError, InvalidParameterError, ModuleError
from initsk.network import NO_GRADIENT, Batch, copy_of_module, dense, set_training
from initsk.utils.random import derive_seed, isolated_random

#: The columns of a trial's frame.
TRIAL_COLUMNS = ("step", "loss", "gradient_norm", "update_ratio")


@dataclass(frozen=True)
class Trial:
    """The course of a few steps of training on a copy of a network.

    Attributes
    ----------
    lr : float
        Learning rate.
    losses, gradient_norms, update_ratios : ndarray of shape (n_steps,)
        For each step, the loss of its batch before the step, the norm of the gradient with respect to all parameters,
        and the median over the weights of the norm of the update divided by that of the weight. Update ratios are
        measured at steps 1, 2, 4, 8, ... and at the last step, and are NaN elsewhere.
    status : {"finished", "diverged", "time"}
        Whether all steps were taken, a loss was not finite, or the time was up.
    unreached : tuple of str
        Parameters of the optimizer that got no gradient in any step.
    """

    lr: float
    losses: np.ndarray
    gradient_norms: np.ndarray
    update_ratios: np.ndarray
    status: str
    unreached: tuple[str, ...] = ()

    @property
    def n_steps(self) -> int:
        """Number of steps that were taken."""
        return len(self.losses)

    @property
    def end_loss(self) -> float:
        """Mean loss of the last quarter of the steps; infinite if the trial diverged."""
        return self.loss_after(self.n_steps)

    def loss_after(self, n_steps: int) -> float:
        """Return the mean loss of the last quarter of the first steps.

        It is infinite if the trial diverged, and NaN if the time was up earlier.
        """
        if self.status == "diverged":
            return inf
        quarter = self.losses[n_steps - max(n_steps // 4, 1) : n_steps]
        return float(quarter.mean()) if n_steps <= self.n_steps else nan

    @property
    def last_update_ratio(self) -> float:
        """The update ratio that was measured last, NaN if there is none."""
        measured = self.update_ratios[np.isfinite(self.update_ratios)]
        return float(measured[-1]) if len(measured) else nan

    def to_frame(self) -> pd.DataFrame:
        """Return a row per step: ``step`` (from 1), ``loss``, ``gradient_norm`` and ``update_ratio`` (float64)."""
        steps = np.arange(1.0, self.n_steps + 1)
        columns = (steps, self.losses, self.gradient_norms, self.update_ratios)
        return pd.DataFrame(dict(zip(TRIAL_COLUMNS, columns, strict=True)))


@dataclass
class _Course:
    """The values of the steps that were taken so far."""

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    reached: set[nn.Parameter] = field(default_factory=set)

    def to_trial(self, lr: float, status: str, trained: dict[str, nn.Parameter]) -> Trial:
        losses, norms, ratios = (np.array(values, dtype=float) for values in (self.losses, self.norms, self.ratios))
        unreached = tuple(name for name, parameter in trained.items() if parameter not in self.reached)
        return Trial(lr, losses, norms, ratios, status, unreached)


def run_trial(
    module: nn.Module,
    samples: Samples,
    objective: Objective,
    plan: OptimizerPlan,
    *,
    lengths: Sequence[int],
    ends: Callable[[Trial, nn.Module], bool],
    seed: int,
    time_limit: float | None = None,
) -> None:
    """Take the steps of a trial on a copy of a module.

    The module does not change, and neither do the random states. The copy is in training mode, as in a training loop;
    parameters that are frozen stay frozen.

    Parameters
    ----------
    module : torch.nn.Module
    samples : Samples
        Batches of the steps; if there are fewer batches than steps, they are taken again.
    objective : Objective
    plan : OptimizerPlan
    lengths : sequence of int
        Numbers of steps after which the trial may end, in ascending order.
    ends : callable
        Called with the trial so far and the copy after each length, and when the trial cannot go on; returns whether
        the trial ends.
    seed : int
        Of the random numbers that the module draws, such as the masks of dropout.
    time_limit : float, optional
        Seconds after which no further step begins.
    """
    memo: dict[int, Any] = {}
    copied = copy_of_module(module, memo)
    objective = objective.copied(memo)
    course, rate = _Course(), plan.rate()
    end = inf if time_limit is None else time.perf_counter() + time_limit
    with training_mode(copied, seed):
        optimizer = plan.make(copied)
        weights = [p for p in _held(optimizer) if p.dim() > 1]
        trained = [p for p in copied.parameters() if p.requires_grad]
        held = set(_held(optimizer))
        named = {name: p for name, p in copied.named_parameters() if p in held and p.requires_grad}
        for number, batch in enumerate(samples.cycle(lengths[-1]), 1):
            is_measured = number & (number - 1) == 0 or number in lengths
            _step(copied, batch, objective, optimizer, trained, weights if is_measured else [], course)
            status = "finished" if isfinite(course.losses[-1]) else "diverged"
            if status == "finished" and time.perf_counter() > end:
                status = "time"
            if status != "finished" or number in lengths:
                optimizer.zero_grad()
                if ends(course.to_trial(rate, status, named), copied) or status != "finished":
                    return


@contextmanager
def training_mode(module: nn.Module, seed: int) -> Iterator[None]:
    """Put a copy of a module into training mode, with gradients and random states of its own, inside the block."""
    device = next((str(p.device) for p in module.parameters()), "cpu")
    with (
        torch.inference_mode(False), torch.enable_grad(), isolated_random(derive_seed(seed, "trial"), device),
        warnings.catch_warnings(),
    ):  # fmt: skip
        warnings.simplefilter("ignore")
        set_training(module, True)
        yield


def _held(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _step(
    module: nn.Module, batch: Batch, objective: Objective, optimizer: torch.optim.Optimizer,
    trained: list[nn.Parameter], weights: list[nn.Parameter], course: _Course,
) -> None:  # fmt: skip
    """Take a step, and append its values to the course."""

    def compute() -> torch.Tensor:
        optimizer.zero_grad()
        loss = objective.loss(batch.run(module), batch.target, batch.data)
        if not loss.requires_grad:
            raise ModuleError(NO_GRADIENT)
        # A criterion may use parameters of others, whose gradients stay as they are.
        loss.backward(inputs=trained)
        return loss

    computed = [compute()]
    loss = float(computed[0].detach())
    gradients = [dense(p.grad) for p in _held(optimizer) if p.grad is not None]
    course.reached.update(p for p in _held(optimizer) if p.grad is not None)
    norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0

    # Weights without a gradient are not updated.
    weights = [weight for weight in weights if weight.grad is not None]
    before = [weight.detach().clone() for weight in weights]

    def closure() -> torch.Tensor:
        # The gradients are there when a step begins, for its hooks. Some optimizers evaluate the loss again.
        return computed.pop() if computed else compute()

    try:
        if inspect.signature(optimizer.step).parameters:
            # torch declares closures that return a number, and its optimizers take tensors.
            optimizer.step(closure)  # type: ignore[arg-type]
        else:
            optimizer.step()
    except InitskError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:
        raise InvalidParameterError(
            f"a step of optimizer={type(optimizer).__name__} fails: {error} (allowed: an optimizer that takes the"
            " gradients of this network)"
        ) from error
    course.losses.append(loss)
    course.norms.append(norm)
    course.ratios.append(_update_ratio(before, weights))


def _update_ratio(before: list[torch.Tensor], after: list[nn.Parameter]) -> float:
    """Return the median over the weights of the norm of the update divided by that of the weight."""
    ratios = []
    for old, new in zip(before, after, strict=True):
        size = float(old.norm())
        if size > 0:
            ratios.append(float((new.detach() - old).norm()) / size)
    return float(np.median(ratios)) if ratios else nan
