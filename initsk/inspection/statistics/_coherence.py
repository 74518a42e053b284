"""Gradient coherence: the size of the gradient that distinguishes samples, and its agreement between two halves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import torch

from initsk.exceptions import ModuleError
from initsk.network import (
    NO_GRADIENT,
    Batch,
    Criteria,
    borrowed,
    check_criterion,
    count_samples,
    dense,
    first_batch,
    iterate_batches,
    map_arrays,
    mean_loss,
    named_parameters,
    preserve_state,
    scores_in_loss,
    to_array,
)
from initsk.utils.random import RandomState, resolve_seed
from initsk.utils.torch_settings import in_double, outside_of_contexts, real_parts
from initsk.utils.validation import check_parameters, resolved_by

# Number of samples in a half for which agreements are stated.
_REFERENCE_HALF = 256


@dataclass(frozen=True)
class GradientCoherence:
    r"""Size and agreement of the gradients of two halves of the samples.

    Attributes
    ----------
    loss : float
        Mean loss.
    size : float
        Norm of the gradient with respect to all parameters, relative to that of the outputs; see Notes.
    sizes : dict of str to float
        The same, parameter by parameter.
    agreements : dict of str to float
        For each weight the cosine between the gradients of the two halves, converted to its expectation for halves of
        256 samples. At 0, a step on one half does not reduce the loss on the other half.

    Notes
    -----
    Subtracting its mean over the samples from the gradient of the loss with respect to the output f leaves the part
    :math:`\delta` that distinguishes samples. The mean moves all outputs together; a network that follows only the mean
    learns the frequencies of the classes. Backpropagation of :math:`\delta` gives

    .. math:: g = \sum_i \delta_i^T \partial f_i / \partial \theta, \quad
        \text{size} = \lVert g \rVert \big/ \Big(N \sum_i \lVert \delta_i \rVert^2\Big)^{1/2},

    which does not depend on the scale of the loss. For halves of n samples, the squared norm of a gradient is
    S + R / n: S is common to both halves and R / n is the noise of each half, so that the cosine is S / (S + R / n).
    """

    loss: float
    size: float
    sizes: dict[str, float]
    agreements: dict[str, float]

    @property
    def agreement(self) -> float:
        """Mean agreement of the weights that have a gradient; NaN without any.

        A gradient that is exactly zero, as in a branch that begins as zero, has no direction to agree in.
        """
        known = [value for name, value in self.agreements.items() if self.sizes[name] > 0]
        return float(np.mean(known)) if known else float("nan")


def gradient_coherence(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    criterion: Criteria | None = None,
    training: bool = False,
    random_state: RandomState = 0,
) -> GradientCoherence:
    """Return the size and the agreement of the gradients of two halves of the samples, without training.

    Parameters
    ----------
    model, X, y, criterion, training, random_state
        As in `inspect_activations`; X must have at least two samples, in random order; of a stream, the first
        batch is taken.

    Returns
    -------
    GradientCoherence

    Raises
    ------
    ModuleError
        If the module has no trainable parameters, its output has no scores, or there is no loss.

    Examples
    --------
    >>> import torch
    >>> from initsk.inspection import gradient_coherence
    >>> net = torch.nn.Linear(2, 1, bias=False)
    >>> _ = torch.nn.init.zeros_(net.weight)
    >>> X = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    >>> signal = gradient_coherence(net, X, X[:, :1])
    >>> signal.size, signal.agreements
    (1.0, {'weight': 1.0})
    """
    check_parameters("gradient_coherence", {"criterion": criterion}, {"criterion": resolved_by(check_criterion)})
    seed = resolve_seed(random_state)

    def loss(output: Any, target: Any, inputs: Any) -> torch.Tensor:
        return mean_loss(output, target, criterion, found.net, inputs)

    with borrowed(model, X, y) as found, outside_of_contexts(found.module):
        X, y = first_batch(found.module, found.prepared(X), y)
        X, y = map_arrays(to_array, X), found.encode(y)
        half = ceil((count_samples(X) or 1) / 2)
        batches = [batch.copied() for batch in iterate_batches(found.module, X, y, half, casts=found.casts)]
        return coherence_of_batches(found.module, batches, loss, training=training, seed=seed)


def coherence_of_batches(
    module: torch.nn.Module, batches: Sequence[Batch], loss: Callable[..., torch.Tensor], *, training: bool, seed: int
) -> GradientCoherence:
    """Return the size and the agreement of the gradients of the first and the second half of the batches.

    The memory does not depend on the number of batches. There are no agreements of a single batch.

    Parameters
    ----------
    module : torch.nn.Module
    batches : sequence of Batch
    loss : callable
        Function of output, target and X that returns the mean loss.
    training : bool
        Whether to run the module in training mode.
    seed : int
        Of the random numbers that the module draws.

    Raises
    ------
    ModuleError
        If the module has no trainable parameters.
    """
    trained = {name: p for name, p in named_parameters(module) if p.requires_grad}
    if not trained:
        raise ModuleError("no parameter is trained, so there are no gradients")
    middle = ceil(len(batches) / 2)
    with preserve_state(module, training=training, gradients=True, seed=seed):
        halves = [
            _backpropagate(module, half, loss, list(trained.values()))
            for half in (batches[:middle], batches[middle:])
            if half
        ]
    total = sum(half.n_samples for half in halves)
    mean_loss = sum(half.n_samples * half.loss for half in halves) / total
    scale = (sum(half.n_samples * half.square for half in halves) / total) ** 0.5
    gradients = {name: [half.gradients[i] for half in halves] for i, name in enumerate(trained)}
    sizes = {name: _mean_norm(parts) / scale if scale > 0 else 0.0 for name, parts in gradients.items()}
    agreements = {
        name: _convert_cosine(_cosine(*parts), halves[0].n_samples, _REFERENCE_HALF)
        for name, parts in gradients.items()
        if trained[name].dim() > 1 and len(parts) > 1
    }
    return GradientCoherence(mean_loss, sum(size**2 for size in sizes.values()) ** 0.5, sizes, agreements)


class _Half(NamedTuple):
    """Half of the samples: loss, the mean over its batches of N times the squared norm of delta, and gradients."""

    n_samples: int
    loss: float
    square: float
    gradients: list[torch.Tensor]


def _backpropagate(
    module: torch.nn.Module,
    batches: Sequence[Batch],
    loss_of_output: Callable[..., torch.Tensor],
    trained: list[torch.nn.Parameter],
) -> _Half:
    n_samples, total, square, sums = 0, 0.0, 0.0, [torch.zeros(1).double()] * len(trained)
    for batch in batches:
        output = batch.copied().run(module)
        loss = loss_of_output(output, batch.target, batch.data)
        if not loss.requires_grad:
            raise ModuleError(NO_GRADIENT)
        scores = scores_in_loss(loss, output, batch.target)
        deltas = [_centered(delta) for delta in torch.autograd.grad(loss, scores, retain_graph=True)]
        gradients = torch.autograd.grad(scores, trained, deltas, allow_unused=True)
        # Squares of vanishing gradients are zero in single precision.
        sums = [
            known if g is None else known + in_double(real_parts(dense(g))).flatten()
            for known, g in zip(sums, gradients, strict=True)
        ]
        n_samples += batch.n_samples
        total += batch.n_samples * float(loss.detach())
        square += batch.n_samples * sum(float(in_double(real_parts(delta)).square().sum()) for delta in deltas)
    n_batches = len(batches)
    return _Half(n_samples, total / n_samples, square / n_batches, [part / n_batches for part in sums])


def _centered(delta: torch.Tensor) -> torch.Tensor:
    """Return the part of a gradient that distinguishes samples; of a single one nothing is known but the whole."""
    return delta - delta.mean(0, keepdim=True) if len(delta) > 1 else delta


def _mean_norm(parts: list[torch.Tensor]) -> float:
    norm = float(torch.stack([part.norm() for part in parts]).square().mean().sqrt())
    return norm if np.isfinite(norm) else float("inf")


def _cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    product = float(one.norm() * other.norm())
    return float(one @ other) / product if 0 < product < float("inf") else 0.0


def _convert_cosine(cosine: float, n: int, wanted: int) -> float:
    """Return the expected cosine between gradients of `wanted` samples, from that between gradients of n samples."""
    return 1 / (1 + n / wanted * (1 / cosine - 1)) if cosine > 0 else cosine
