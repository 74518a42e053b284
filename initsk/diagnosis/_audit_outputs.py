"""Audit of the outputs at the start: scores that are too large for a softmax, or the same for all samples."""

from collections.abc import Iterator
from math import log, nan

import torch

from initsk.diagnosis._audit_subject import (
    ROUNDED,
    CheckResult,
    Flagged,
    Subject,
    not_checked,
    root_mean_square,
    spread_of,
)
from initsk.diagnosis._audit_weights import blocks_output, constant_weights, is_meant
from initsk.network import OF_CLASSES, OF_NUMBERS, is_fitted, tensors_in
from initsk.utils.precision import nonfinite_in
from initsk.utils.reason import Reason
from initsk.utils.torch_settings import in_double

SCALE, CONSTANT = "initial scale", "constant output"
# Scores of excluded classes are set to such values, so that their probability is zero.
_EXCLUDED = -1e4
# Fewer classes count as so many.
_CLASSES = 10


def find_in_outputs(subject: Subject, scores: torch.Tensor) -> Iterator[CheckResult]:
    """Find what is wrong with the scores of the whole batch."""
    # Scores of minus infinity exclude a class.
    bad = scores[scores.isnan() | (scores == torch.inf)]
    yield from Flagged("", "non-finite", float(len(bad)), "outputs", what=nonfinite_in(bad)).findings()
    if len(bad):
        why = Reason("outputs are NaN") if scores.isnan().any() else Reason("outputs are infinite")
        yield from not_checked([SCALE, CONSTANT], why)
        return
    yield from _find_scale(subject, scores)
    yield from _find_constant(subject, scores)


def _find_scale(subject: Subject, scores: torch.Tensor) -> Iterator[CheckResult]:
    criterion = getattr(subject.model.net, "criterion_", None)
    if isinstance(criterion, OF_NUMBERS):
        yield from not_checked([SCALE], Reason("the estimator predicts numbers, and not the scores of classes"))
    elif is_fitted(subject.model):
        yield from not_checked([SCALE], Reason("the estimator is fitted, so its outputs are not those of the start"))
    elif not isinstance(criterion, OF_CLASSES) and _has_shape_of_input(subject, scores):
        yield from not_checked([SCALE], Reason("the outputs have the shape of an input, so they are no class scores"))
    elif scores.dim() < 2 or scores.shape[class_axis(scores)] < 2:
        reason = Reason("an output is a single number, and only the targets tell how large it should be")
        yield from not_checked([SCALE], reason)
    else:
        yield from Flagged("", SCALE, relative_loss(scores), "outputs").findings()


def _has_shape_of_input(subject: Subject, scores: torch.Tensor) -> bool:
    given = tensors_in(subject.arguments)
    return any(tensor.shape == scores.shape for tensor in given if tensor.is_floating_point())


def class_axis(scores: torch.Tensor) -> int:
    """Return the axis of the classes: the second one of images and volumes, otherwise the last one."""
    return 1 if scores.dim() > 3 else scores.dim() - 1


def relative_loss(scores: torch.Tensor) -> float:
    r"""Return the expected cross-entropy of a label that is drawn at random, relative to that of equal scores.

    With :math:`C` classes and scores :math:`z`, it is :math:`(\log \sum_i e^{z_i} - \bar z) / \log C`, on average over
    the samples. Of fewer than ten classes, it is relative to :math:`\log 10`: a few nats are much of the small loss of
    two classes, and little to unlearn.

    Examples
    --------
    >>> round(relative_loss(torch.zeros(4, 10)), 6), relative_loss(torch.tensor([[100.0, 0.0]])) > 20
    (1.0, True)
    """
    axis = class_axis(scores)
    loss = scores.logsumexp(axis) - scores.masked_fill(scores <= _EXCLUDED, nan).nanmean(axis)
    return float(in_double(loss).nanmean()) / log(max(scores.shape[axis], _CLASSES))


def _find_constant(subject: Subject, scores: torch.Tensor) -> Iterator[CheckResult]:
    n_samples = subject.n_samples
    if n_samples is None or scores.shape[:1] != (n_samples,):
        yield from not_checked([CONSTANT], Reason("the first axes of inputs and outputs do not count the same samples"))
    elif n_samples < 2 or not _samples_differ(subject):
        yield from not_checked([CONSTANT], Reason("X has no two samples that differ"))
    else:
        zeros = [planned for planned in constant_weights(subject) if is_meant(subject, planned)]
        meant = any(blocks_output(subject.graph, subject.users_of(planned)) for planned in zeros)
        found = list(Flagged("", CONSTANT, relative_spread(scores), "outputs", not meant).findings())
        if found and subject.is_half and not meant:
            yield from not_checked([CONSTANT], ROUNDED)
        else:
            yield from found


def relative_spread(scores: torch.Tensor) -> float:
    """Return the root mean square of the differences between samples, relative to that of the scores."""
    scores = scores.masked_fill(scores == -torch.inf, 0.0)
    size = root_mean_square(scores)
    return spread_of(scores) / size if size else 0.0


def _samples_differ(subject: Subject) -> bool:
    rows = [t for t in tensors_in(subject.arguments) if t.dim() and len(t) == subject.n_samples]
    return any(bool((tensor != tensor[:1]).any()) for tensor in rows)
