"""Scores and loss in the output of a module, whatever its form."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge

from initsk.exceptions import ModuleError
from initsk.network._criteria import Criterion, LossFunction, loss_function
from initsk.network._nets import MAX_DEVIATION, check_class_scores, check_range, has_own_loss, loss_of_net
from initsk.network._operations import tensors_in
from initsk.network._targets import OF_CLASSES, OF_NUMBERS, comparable_target, labels_or_shares
from initsk.utils.precision import nonfinite_in
from initsk.utils.torch_settings import in_double, real_parts
from initsk.utils.words import counted

# In the order in which they are searched: predictions before features.
_SCORE_NAMES = (
    "logits", "prediction_logits", "scores", "prediction", "predictions", "pred", "y_pred", "sample", "out", "output",
    "outputs", "start_logits", "last_hidden_state",
)  # fmt: skip
#: What is wrong with a loss that requires no gradient.
NO_GRADIENT = (
    "the loss has no gradient for any trained parameter (allowed: a loss of torch's operations; numpy, .detach(),"
    " .item() and torch.no_grad(), in forward or in the criterion, cut the gradient off)"
)
#: torch's losses ignore targets with this value.
IGNORED_TARGET = -100


def scores_of(output: Any) -> torch.Tensor:
    """Return the scores in a module's output.

    They are the output itself if it is a tensor; the first real tensor of a tuple or a list; the entry or attribute
    with a usual name (``logits``, ``prediction``, ``sample``, ``last_hidden_state``, ...); or the only real tensor of a
    mapping. A single number, such as a loss, is not scores.

    Raises
    ------
    ModuleError
        If there are no scores.

    Examples
    --------
    >>> scores_of({"loss": torch.tensor(0.5), "logits": torch.zeros(2, 3)}).shape
    torch.Size([2, 3])
    >>> scores_of((torch.zeros(2), torch.ones(2)))
    tensor([0., 0.])
    """
    if isinstance(output, torch.Tensor):
        return output
    for name in _SCORE_NAMES:
        found = _entry(output, name)
        if isinstance(found, torch.Tensor):
            return found
    tensors = list(_real_tensors(output))
    if tensors and (len(tensors) == 1 or isinstance(output, tuple | list)):
        return tensors[0]
    raise ModuleError(
        f"the module returns {_described(output)}, not a tensor and without scores (allowed: a tensor, a tuple of"
        f" tensors, one of {', '.join(_SCORE_NAMES)}, or criterion=a function)"
    )


def heads_of(output: Any, target: Any) -> list[torch.Tensor]:
    """Return the scores that belong to each target: one tensor, or one for each of several targets.

    Raises
    ------
    ModuleError
        If a target has no output.

    Examples
    --------
    >>> output, y = (torch.zeros(4, 2), torch.zeros(4, 3)), (torch.zeros(4), torch.ones(4))
    >>> [scores.shape[1] for scores in heads_of(output, y)]
    [2, 3]
    """
    return [scores for scores, _ in _heads(output, target)]


def scores_in_loss(loss: torch.Tensor, output: Any, target: Any = None) -> list[torch.Tensor]:
    """Return the tensors of an output that a loss is computed from.

    Parameters
    ----------
    loss : tensor
    output, target
        Of the module. An output tensor from which the loss uses only other output tensors is left out.

    Raises
    ------
    ModuleError
        If the output has no scores, or none that the loss has a gradient for.

    Examples
    --------
    >>> hidden = torch.ones(4, 2, requires_grad=True) * 2
    >>> output = {"hidden": hidden, "scores": hidden.sum(1), "other": hidden * 3}
    >>> [tuple(tensor.shape) for tensor in scores_in_loss(output["scores"].mean(), output)]
    [(4,)]
    """
    parts = [part for part in tensors_in(output) if part.requires_grad and part.dim()]
    places = {
        (edge.node, edge.output_nr): part for edge, part in zip(map(get_gradient_edge, parts), parts, strict=True)
    }
    found: dict[tuple[Any, int], torch.Tensor] = {}
    # The nodes themselves: without a reference, torch makes another object for the same node.
    ahead, seen = [(loss.grad_fn, loss.output_nr)], set()
    while ahead:
        node, number = ahead.pop()
        place = (node, number)
        if node is None or place in seen:
            continue
        seen.add(place)
        if place in places:
            found[place] = places[place]
        else:
            ahead += node.next_functions
    if not found:
        heads_of(output, target)  # raises if there are no scores
        raise ModuleError(
            "the loss has no gradient for any tensor in the module's output (allowed: an output with the tensor that"
            " the loss is computed from; logits.softmax(1) and logits.detach() are other tensors than logits)"
        )
    return [part for place, part in places.items() if place in found]


@dataclass(frozen=True)
class LossWithInputs:
    """A function of output, target and X that returns the mean loss, as a criterion."""

    function: Callable[[Any, Any, Any], torch.Tensor]

    def __call__(self, output: Any, target: Any) -> torch.Tensor:
        """Return the loss without X."""
        return self.function(output, target, None)


def loss_of(
    output: Any, target: Any = None, criterion: Criterion | None = None, net: Any = None, X: Any = None
) -> torch.Tensor:
    """Return the mean loss of a module's output.

    The loss is `criterion`, a function or the name of one of torch's losses; or the output's own ``loss``; or the
    criterion of the estimator's `net`; or the one that suits the targets. A loss of torch as `criterion` gets the
    scores in the output, with the axes and targets of the type that it needs; losses of numbers need targets of the
    output's shape. Otherwise:

    - cross-entropy for integers, with scores along the second or last axis (-100 is ignored);
    - binary cross-entropy with logits for booleans that have the shape of the scores or of a single score, and for
      integers 0 and 1 of the shape of the scores;
    - mean squared error for real and complex numbers;
    - the sum over the heads for several targets, a tuple or a mapping.

    X is what the net's own ``get_loss`` gets.

    Raises
    ------
    ModuleError
        If there are no targets, no scores, or they do not fit each other.

    Examples
    --------
    >>> loss_of(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0]))
    tensor(0.6931)
    >>> loss_of({"loss": torch.tensor(0.5), "logits": torch.zeros(4, 2)})
    tensor(0.5000)
    """
    if isinstance(criterion, LossWithInputs):
        return criterion.function(output, target, X)
    if criterion is not None:
        criterion = loss_function(criterion)
        is_of_torch = type(criterion).__module__ == nn.MSELoss.__module__
        return _loss_of_torch(criterion, output, target) if is_of_torch else criterion(output, target)
    own = own_loss(output)
    if own is not None:
        return own
    if target is None:
        raise ModuleError("the loss needs targets, and a batch has none (allowed: pairs of X and y)")
    if net is not None and hasattr(net, "criterion_"):
        scores = output[0] if isinstance(output, tuple) and output else output
        if not has_own_loss(net):
            if isinstance(net.criterion_, OF_CLASSES):
                target = comparable_target(net.criterion_, scores, target)
            check_class_scores(net, output, target)
            _check_labels(net.criterion_, scores, target)
        return loss_of_net(net, output, target, X)
    first, *others = [_loss(scores, part) for scores, part in _heads(output, target)]
    for loss in others:
        first = first + loss
    return first


def own_loss(output: Any) -> torch.Tensor | None:
    """Return the loss that a module's output has, under the name ``loss``, or None.

    Examples
    --------
    >>> own_loss({"loss": torch.tensor([0.5])}), own_loss(torch.zeros(3))
    (tensor(0.5000), None)
    """
    own = _entry(output, "loss")
    is_scalar = isinstance(own, torch.Tensor) and own.numel() == 1 and own.is_floating_point()
    return own.reshape(()) if is_scalar else None


def _loss_of_torch(criterion: LossFunction, output: Any, target: Any) -> torch.Tensor:
    """Return a loss of torch; for sequences, the scores of classes move to the second axis."""
    scores = scores_of(output)
    if not isinstance(target, torch.Tensor):
        return criterion(scores, target)
    if isinstance(criterion, OF_CLASSES) and not target.is_complex():
        target = labels_or_shares(scores, target)
    if isinstance(criterion, OF_CLASSES) and not target.is_floating_point():
        if scores.shape[:1] + scores.shape[2:] != target.shape and scores.shape[:-1] == target.shape:
            scores = scores.movedim(-1, 1)
        if scores.dim() == 2 and target.shape == (len(scores), 1):
            raise ModuleError(
                f"{_shapes(scores, target)} (allowed: a label for each sample){_next_step(scores, target)}"
            )
        _check_labels(criterion, scores, target)
        if isinstance(criterion, nn.NLLLoss):
            _check_log_probabilities(scores)
    elif isinstance(criterion, OF_NUMBERS) and scores.shape != target.shape:
        raise ModuleError(
            f"{type(criterion).__name__} compares every value of an output of shape {tuple(scores.shape)} with every"
            f" value of y of shape {tuple(target.shape)}, and would learn the mean (allowed: the same shape)"
            f"{_next_step(scores, target)}"
        )
    return criterion(scores, comparable_target(criterion, scores, target))


def _next_step(output: torch.Tensor, target: torch.Tensor) -> str:
    """Return how targets get the shape of the output, or what else they may be; or ""."""
    if not target.is_floating_point() and output.dim() == 2 and target.shape == (len(output), 1):
        return "; use y.ravel()"
    if output.dim() == 2 and output.shape[:1] == target.shape and not target.is_complex():
        if output.shape[1] == 1:
            return "; use y[:, None]"
        if bool((target[target.isfinite()] % 1 == 0).all()):
            other = nonfinite_in(target)
            step = f"; y has {other}: leave these samples out" if other else ""
            return f"{step}; labels of classes must be integers, such as y.astype(int)"
    return ""


def _check_labels(criterion: Any, scores: Any, target: Any) -> None:
    """Raise an error for labels without a score, if a loss of classes takes the labels."""
    are_tensors = isinstance(scores, torch.Tensor) and isinstance(target, torch.Tensor)
    if isinstance(criterion, OF_CLASSES) and are_tensors and scores.dim() and not target.is_floating_point():
        # One sample without an axis for it has only the axis of the classes.
        check_range(target, scores.shape[min(scores.dim() - 1, 1)], criterion.ignore_index)


def _check_log_probabilities(scores: torch.Tensor) -> None:
    """Raise an error for scores with which NLLLoss has no lower bound. Values that are not finite pass."""
    total = in_double(scores.detach()).exp().sum(1)
    wrong = total[((total - 1).abs() > MAX_DEVIATION) & total.isfinite()]
    if len(wrong):
        raise ModuleError(
            f"NLLLoss needs log-probabilities, and the exponentials of an output add up to {float(wrong[0]):.3g}"
            " instead of 1 (allowed: log_softmax of the scores, or CrossEntropyLoss)"
        )


def _heads(output: Any, target: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return pairs of scores and targets."""
    if isinstance(target, Mapping):
        heads = {name: _entry(output, str(name)) for name in target}
        missing = [str(name) for name, head in heads.items() if head is None]
        if missing:
            raise ModuleError(
                f"y has {', '.join(missing)}, and the module returns {_described(output)}"
                " (allowed: an output of the same name for each target)"
            )
        return [(scores_of(heads[name]), part) for name, part in target.items()]
    if isinstance(target, tuple | list):
        outputs = list(output.values()) if isinstance(output, Mapping) else output
        if not isinstance(outputs, tuple | list) or len(outputs) != len(target):
            raise ModuleError(
                f"y has {counted(len(target), 'target')}, and the module returns {_described(output)}"
                " (allowed: a tuple of as many outputs)"
            )
        return [(scores_of(head), part) for head, part in zip(outputs, target, strict=True)]
    return [(scores_of(output), target)]


def _loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the usual loss of one tensor of scores for targets of a type and shape."""
    if target.is_floating_point() or target.is_complex():
        return _squared_error(output, target)
    if target.dtype == torch.bool and _is_single_score(output, target):
        target = target.reshape(output.shape)
    if output.shape == target.shape and not output.is_complex() and _holds_only(target, 0, 1):
        scores = real_parts(output)
        return nn.functional.binary_cross_entropy_with_logits(scores, target.to(scores.dtype))
    return _cross_entropy(output, target)


def _squared_error(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    shapes = _shapes(output, target)
    # Real targets of one more axis are pairs of real and imaginary parts.
    if output.is_complex() and not target.is_complex() and output.squeeze().shape == target.squeeze().shape:
        target = target.to(output.dtype)
    output, target = real_parts(output), real_parts(target)
    if output.squeeze().shape != target.squeeze().shape:
        raise ModuleError(f"{shapes} (allowed: the same shape){_next_step(output, target)}")
    return nn.functional.mse_loss(output, target.reshape(output.shape))


def _cross_entropy(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    shapes = _shapes(output, target)
    if output.shape[:1] + output.shape[2:] != target.shape and output.shape[:-1] == target.shape:
        output = output.movedim(-1, 1)
    if output.dim() < 2 or output.shape[:1] + output.shape[2:] != target.shape or output.is_complex():
        raise ModuleError(f"{shapes} (allowed: real scores, one more axis than y){_next_step(output, target)}")
    check_range(target, output.shape[1], IGNORED_TARGET)
    return nn.functional.cross_entropy(real_parts(output), target.long())


def _shapes(output: torch.Tensor, target: torch.Tensor) -> str:
    return f"y of shape {tuple(target.shape)} does not fit the module's output of shape {tuple(output.shape)}"


def _is_single_score(output: torch.Tensor, target: torch.Tensor) -> bool:
    """Return whether output and targets differ only in an axis of one score."""
    return output.shape == (*target.shape, 1)


def _holds_only(target: torch.Tensor, low: int, high: int) -> bool:
    return target.dtype == torch.bool or bool(((target == low) | (target == high)).all())


def _entry(output: Any, name: str) -> Any:
    """Return an entry of a mapping or an attribute of another object, or None."""
    if isinstance(output, torch.Tensor):
        return None
    return output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)


def _real_tensors(output: Any) -> Iterator[torch.Tensor]:
    """Yield the real tensors of at least one axis in nested tuples, lists and mappings, in order."""
    if isinstance(output, torch.Tensor):
        if output.is_floating_point() and output.dim():
            yield output
    elif isinstance(output, tuple | list | Mapping):
        for part in output.values() if isinstance(output, Mapping) else output:
            yield from _real_tensors(part)


def _described(output: Any) -> str:
    """Return the type of an output and what is in it, in words."""
    kind = type(output).__name__
    if isinstance(output, Mapping):
        return f"{kind} with {', '.join(f'{name} ({_kind(part)})' for name, part in output.items()) or 'nothing'}"
    if isinstance(output, tuple | list):
        return f"{kind} of {', '.join(map(_kind, output)) or 'nothing'}"
    return kind


def _kind(part: Any) -> str:
    return f"tensor of shape {tuple(part.shape)}" if isinstance(part, torch.Tensor) else type(part).__name__
