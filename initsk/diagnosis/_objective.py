"""The loss that a network is trained by, and the loss of the best constant prediction."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf, isfinite, nan
from typing import Any

import numpy as np
import torch
from torch import nn
from typing_extensions import TypeAliasType

from initsk.diagnosis._saving import savable
from initsk.exceptions import InitskError, InvalidParameterError, ModuleError
from initsk.network import (
    Batch,
    Criteria,
    has_own_loss,
    heads_of_targets,
    known_baseline,
    loss_of,
    mean_loss,
    own_loss,
    preserve_state,
    takes_classes,
)
from initsk.utils.precision import to_numpy

_N_STEPS = 25
# A loss that is less than this many times another one is probably the same loss of other elements.
_SAME_LOSS = 2.0
# Of a sum of probabilities.
_ROUNDING_OF_SUM = 1e-3
# A loss that has a bound is flat at such distances from the best constant that was found, in steps of the search.
_FAR = (1e3, 1e6)
# A smaller share of a loss is rounding.
_ROUNDING = 1e-4

OutputPicker = TypeAliasType("OutputPicker", str | int | Callable[[Any], Any] | None)


@dataclass(frozen=True)
class Objective:
    """The loss of a network's output.

    Parameters
    ----------
    criterion : callable, mapping of str to callable, or None
        Function of output and target; one for each named head; or None for what `initsk.network.loss_of` finds.
    output : str, int, callable or None
        The part of the output that counts: a name, an index, or a function. None takes the usual one.
    net : skorch net or None
        The estimator's net, with its criterion.
    """

    criterion: Criteria | None = None
    output: OutputPicker = None
    net: Any = None

    def copied(self, memo: dict[int, Any]) -> "Objective":
        """Return the objective of a copy of the module; `memo` has what was copied with it.

        A criterion may have parameters and a state of its own, or refer to the module.
        """
        criterion, output = (_copied(part, memo) for part in (self.criterion, self.output))
        return Objective(criterion, output, None if self.net is None else _copied_net(self.net, memo))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Objective":
        return self.copied(memo)

    def __getstate__(self) -> dict[str, Any]:
        # A diagnosis can be saved without a function that cannot; what it has measured stays.
        return {name: savable(name, value) for name, value in vars(self).items()}

    def loss(self, output: Any, target: Any, X: Any = None) -> torch.Tensor:
        """Return the mean loss as a scalar; X is what a net's own ``get_loss`` may need.

        Raises
        ------
        ModuleError
            If output, targets and criterion do not fit each other, or the loss is no scalar.
        """
        return mean_loss(self.picked(output), target, self.criterion, self.net, X)

    def picked(self, output: Any) -> Any:
        """Return the part of an output that counts.

        Raises
        ------
        InvalidParameterError
            If the output has no such part.
        """
        if self.output is None:
            return output
        if callable(self.output):
            return self.output(output)
        try:
            if isinstance(self.output, str) and not isinstance(output, Mapping):
                return getattr(output, self.output)
            return output[self.output]
        except (AttributeError, LookupError, TypeError) as error:
            names = list(output) if isinstance(output, Mapping) else type(output).__name__
            raise InvalidParameterError(f"output={self.output!r} is not in the module's output ({names})") from error

    def takes_classes(self, head: str = "") -> bool:
        """Return whether the targets of a head are classes, whatever their type, for the criterion of torch."""
        given = self.criterion or getattr(self.net, "criterion_", None)
        return takes_classes(given.get(head) if isinstance(given, Mapping) else given)


def _copied(part: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(part, memo)
    except Exception:  # an object of a user may refuse to be copied
        return part


def _copied_net(net: Any, memo: dict[int, Any]) -> Any:
    """Return an estimator's net with copies of its modules, such as its criterion."""
    copied = object.__new__(type(net))
    vars(copied).update(
        (name, _copied(value, memo) if isinstance(value, nn.Module) else value) for name, value in vars(net).items()
    )
    return copied


def baseline_loss(objective: Objective, module: nn.Module, batches: list[Batch], targets: list[Any]) -> float:
    """Return the loss of the best constant prediction; NaN if it is not known.

    It is the entropy of the classes, or the variance of the numbers, added up over the heads. For other losses of a
    single head, such as the ``get_loss`` that a skorch net overrides, the constant is searched: scores that are equal
    for all samples, and for all elements of a sequence or an image.

    Parameters
    ----------
    objective : Objective
    module : torch.nn.Module
        Gives the form of the scores.
    batches : list of Batch
    targets : list
        The targets of each batch, also if the module gets them as an argument.
    """
    if objective.criterion is None and batches and not _is_usual_loss(objective, module, batches[0]):
        return nan
    if not targets or targets[0] is None:
        return _searched(objective, module, batches)
    if objective.criterion is None and has_own_loss(objective.net):
        return _searched(objective, module, batches)
    given = objective.criterion or getattr(objective.net, "criterion_", None)
    heads = [heads_of_targets(target) for target in targets]
    known = 0.0
    for name in heads[0]:
        values = np.concatenate([np.atleast_1d(to_numpy(parts[name])) for parts in heads])
        known += known_baseline(given.get(name) if isinstance(given, Mapping) else given, values)
    return known if isfinite(known) else _searched(objective, module, batches)


def loss_of_inputs(objective: Objective, module: nn.Module, batches: list[Batch], seed: int) -> float:
    """Return the loss of the inputs as outputs, NaN if the targets have another shape.

    It is low in an autoencoder or a denoiser, where a network that passes its inputs on has a low loss before training.
    """
    if not all(_has_targets_like_inputs(batch) for batch in batches):
        return nan
    of_scores = replace(objective, output=None)
    with preserve_state(module, training=False, gradients=False, seed=seed):
        try:
            losses = [float(of_scores.loss(batch.inputs[0], batch.target, batch.data)) for batch in batches]
        except ModuleError:  # the criterion takes an output of another form
            return nan
    return float(np.average(losses, weights=[batch.n_samples for batch in batches]))


def _has_targets_like_inputs(batch: Batch) -> bool:
    parts = [*batch.inputs, *batch.keywords.values(), batch.target]
    are_numbers = all(isinstance(part, torch.Tensor) and part.is_floating_point() for part in parts)
    return are_numbers and len(batch.inputs) == 1 and len(parts) == 2 and parts[0].shape == parts[1].shape


def gives_loss(module: nn.Module, batch: Batch, seed: int) -> bool:
    """Return whether the module's output has a loss of its own."""
    with preserve_state(module, training=False, gradients=False, seed=seed):
        return own_loss(batch.run(module)) is not None


def _is_usual_loss(objective: Objective, module: nn.Module, batch: Batch) -> bool:
    """Return whether the loss in the output, if there is one, is about the loss that suits the targets."""
    with torch.no_grad():
        output = objective.picked(batch.copied().run(module))
    own = own_loss(output)
    if own is None:
        return True
    others = {name: part for name, part in output.items() if name != "loss"} if isinstance(output, Mapping) else {}
    try:
        usual = float(loss_of(others, batch.target))
    except (InitskError, RuntimeError):
        return False
    # The tokens that a language model is scored by are fewer by one, for example.
    return usual / _SAME_LOSS < float(own) < usual * _SAME_LOSS


def _searched(objective: Objective, module: nn.Module, batches: list[Batch]) -> float:
    """Return the smallest loss that constant scores reach, by a search.

    It is NaN if the loss is not one of scores, or has no lower bound, such as the mean of the scores.
    """
    if not batches:
        return nan
    with torch.no_grad():
        outputs = [objective.picked(batch.copied().run(module)) for batch in batches]
    if not all(isinstance(output, torch.Tensor) and output.is_floating_point() for output in outputs):
        return nan
    with torch.enable_grad():
        return _smallest(list(zip(outputs, batches, strict=True)), objective)


def _smallest(pairs: list[tuple[torch.Tensor, Batch]], objective: Objective) -> float:
    axis = score_axis(pairs[0][0], pairs[0][1].target)
    flat = torch.cat([output.detach().reshape(-1, 1) if output.dim() < 2 else
                      output.detach().movedim(axis, -1).flatten(0, -2) for output, _ in pairs])  # fmt: skip
    start, scores_of_kind = _kind_of_scores(flat)
    start = start.nan_to_num(0.0)
    constant = start.clone().requires_grad_()
    found: list[tuple[float, torch.Tensor]] = []
    of_scores = replace(objective, output=None)

    def loss_at(scores: torch.Tensor) -> torch.Tensor:
        losses = []
        for output, batch in pairs:
            shape = [1] * output.dim()
            if output.dim() > 1:
                shape[axis] = len(scores)
            constants = scores_of_kind(scores).view(shape).expand_as(output)
            losses.append(of_scores.loss(constants, batch.target, batch.data))
        return torch.stack(losses).mean()

    def closure() -> torch.Tensor:
        loss = loss_at(constant)
        optimizer.zero_grad()
        loss.backward(inputs=[constant])
        found.append((float(loss.detach()), constant.detach().clone()))
        return loss

    optimizer = torch.optim.LBFGS([constant], max_iter=_N_STEPS, line_search_fn="strong_wolfe")
    try:
        optimizer.step(closure)
    except (RuntimeError, ModuleError):
        return nan
    except IndexError:
        # torch's line search ends in this way if a loss is not finite.
        pass
    finite = [pair for pair in found if isfinite(pair[0])]
    if not finite:
        return nan
    lowest, best = min(finite, key=lambda pair: pair[0])
    return nan if _falls_further(lambda times: loss_at(start + (best - start) * times), lowest) else lowest


def _falls_further(loss_at: Callable[[float], torch.Tensor], lowest: float) -> bool:
    """Return whether a loss falls far beyond its lowest value, without bound: at least like a logarithm."""
    try:
        middle, far = (float(loss_at(times).detach()) for times in _FAR)
    except (RuntimeError, ModuleError):  # such scores are not allowed
        return False
    # Beyond the largest number, the difference is not a number.
    return far == -inf or (lowest - middle > _ROUNDING * abs(lowest) and middle - far > (lowest - middle) / 2)


def _kind_of_scores(scores: torch.Tensor) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]:
    """Return where a search begins, and the function that makes constants of the same kind as scores.

    The kinds are probabilities of classes, their logarithms, and any numbers.
    """
    for shares, make in ((scores, torch.softmax), (scores.exp(), torch.log_softmax)):
        if scores.shape[1] > 1 and bool(are_probabilities(shares).all()):
            return shares.mean(0).log(), partial(make, dim=0)
    return scores.mean(0), lambda constant: constant


def are_probabilities(scores: torch.Tensor) -> torch.Tensor:
    """Return for each row of scores whether its values are at least 0 and add up to 1."""
    return (scores >= 0).all(1) & ((scores.sum(1) - 1).abs() < _ROUNDING_OF_SUM)


def score_axis(output: torch.Tensor, target: Any) -> int:
    """Return the axis of the scores: the last one for sequences of vectors, the second one for images."""
    shape = tuple(getattr(target, "shape", ()))
    if output.dim() < 2:
        return 0
    return output.dim() - 1 if shape == tuple(output.shape[:-1]) else 1
