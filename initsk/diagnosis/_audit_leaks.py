"""Audit of what an output depends on: other samples of the batch, and elements that are padding."""

from collections.abc import Generator, Iterator
from math import inf, isnan
from typing import Any

import torch

from initsk.diagnosis._audit_padding import Padding, padding_of
from initsk.diagnosis._audit_subject import (
    ROUNDED,
    CheckResult,
    Flagged,
    Subject,
    not_checked,
    root_mean_square,
    spread_of,
)
from initsk.inspection import threshold_of
from initsk.network import take_rows, tensors_in
from initsk.utils.reason import Reason
from initsk.utils.torch_settings import real_parts
from initsk.utils.words import named_reason

BATCH, PADDING = "batch leak", "padding leak"
# One in so many samples runs again.
_PART = 3
# Of fewer samples, one runs again in the places of all.
_FEW = 4
# Differences between samples below this share of the scores may be rounding. Accelerators round products to ten bits.
_ROUNDING, _ROUNDING_ELSEWHERE = 0.01, 0.5


def find_leaks(subject: Subject, scores: torch.Tensor) -> Iterator[CheckResult]:
    """Find outputs that change with other samples or with padding.

    A part of the samples runs again, in another order, without the other samples, and with other padding. Only if
    their scores change, two further passes tell why.

    Parameters
    ----------
    subject : Subject
    scores : tensor
        Scores of the whole batch; with untrained batch normalization, the samples run again to have others.
    """
    why_not = _reason_against(subject, scores)
    if why_not is not None:
        yield from not_checked([BATCH, PADDING], why_not)
        return
    assert subject.n_samples is not None
    found = padding_of(subject)
    padding = found if isinstance(found, Padding) else None
    rows = torch.arange(subject.n_samples)
    if subject.untrained_norms:
        rows = _part_of(subject, rows, padding) if len(rows) >= _FEW else rows
        scores = subject.scores(take_rows(subject.arguments, rows, subject.n_samples))
    comparison = _Comparison(subject, rows, scores, padding)
    if comparison.spread == 0:
        same, infinite = Reason("the outputs are the same for all samples"), Reason("the outputs are not finite")
        yield from not_checked([BATCH, PADDING], same if comparison.is_finite else infinite)
        return
    if isinstance(found, Reason):
        yield from not_checked([PADDING], found)
    yield from comparison.outcomes()


def _reason_against(subject: Subject, scores: torch.Tensor) -> Reason | None:
    """Return why samples cannot run apart from one another, or None if they can."""
    n_samples = subject.n_samples
    if n_samples is None:
        return Reason("the data have no rows that can run apart, such as those of a graph")
    if n_samples < 2:
        return Reason("X has only one sample")
    if scores.shape[:1] != (n_samples,):
        return Reason("the first axes of inputs and outputs do not count the same samples")
    if n_samples < _FEW and n_samples in scores.shape[1:2]:
        return Reason("the outputs may compare each sample with each other sample")
    return ROUNDED if subject.is_half else None


def _part_of(subject: Subject, rows: torch.Tensor, padding: Padding | None) -> torch.Tensor:
    """Return a part of the samples in another order: the shortest ones if there is padding, otherwise the most usual.

    The most usual ones are neither the largest nor the smallest of the batch, which may leak too. Of very few samples,
    it returns one of them several times.
    """
    rank = _distance_from_usual(subject) if padding is None else padding.lengths()
    rows = rows[rank[rows].argsort(descending=True, stable=True)]
    n = len(rows)
    return rows[-1:].repeat(n) if n < _FEW else rows[-max(2, n // _PART) :].flip(0)


def _distance_from_usual(subject: Subject) -> torch.Tensor:
    """Return how far the largest value of each sample is from the median of these values."""
    assert subject.n_samples is not None
    distance = torch.zeros(subject.n_samples)
    for tensor in tensors_in(subject.arguments):
        if tensor.numel() and tensor.dim() and len(tensor) == subject.n_samples:
            largest = real_parts(tensor).reshape(len(tensor), -1).abs().amax(1).cpu()
            distance = torch.maximum(distance, (largest - largest.double().median()).abs() / largest.max())
    return distance


class _Comparison:
    """Compares scores of samples with those of the same samples in another batch.

    Parameters
    ----------
    subject : Subject
    rows : tensor of int
        Numbers of the samples that have scores.
    scores : tensor
        These scores, in evaluation mode.
    padding : Padding or None
        The padding; None if there is none that can change.
    """

    def __init__(self, subject: Subject, rows: torch.Tensor, scores: torch.Tensor, padding: Padding | None) -> None:
        self.subject, self.padding = subject, padding
        self.rows = _part_of(subject, rows, padding)
        places = {int(row): place for place, row in enumerate(rows)}
        finite = _without_excluded(scores)
        self.is_finite = bool(finite.isfinite().all())
        self.before = finite[[places[int(row)] for row in self.rows]]
        spread = spread_of(finite)
        rounding = _ROUNDING if scores.device.type == "cpu" else _ROUNDING_ELSEWHERE
        self.spread = max(spread, rounding * root_mean_square(finite)) if spread > 0 else 0.0
        assert subject.n_samples is not None
        self.arguments = take_rows(subject.arguments, self.rows, subject.n_samples)

    def outcomes(self) -> Iterator[CheckResult]:
        """Yield what one pass shows and, if it shows a change, what two further passes tell about its cause."""
        limit = threshold_of(BATCH).value
        padded = None if self.padding is None else (yield from self._padded(self.padding))
        if padded is not None and self._change(self.before, padded) <= limit:
            return
        plain = yield from self._plain()
        if plain is None:
            return
        change = self._change(self.before, plain)
        why_not = self._other_cause(plain) if change > limit else None
        if why_not is not None:
            yield from not_checked([BATCH, PADDING], why_not)
            return
        yield from Flagged("", BATCH, change, "outputs").findings()
        if padded is not None:
            yield from Flagged("", PADDING, self._change(plain, padded), "outputs").findings()

    def _plain(self) -> Generator[CheckResult, None, torch.Tensor | None]:
        """Return the scores in a batch without the other samples; None after telling why there are none."""
        try:
            plain = self._run(self.arguments)
        except Exception as error:  # a user's forward may raise anything for another number of samples
            reason = Reason("the network fails on a part of the samples ({error})", error=_in_short(error))
            yield from not_checked([BATCH], reason)
            return None
        if plain.shape != self.before.shape:
            reason = Reason("the shape of a sample's output depends on the number of samples")
            yield from not_checked([BATCH, PADDING], reason)
            return None
        return plain

    def _padded(self, padding: Padding) -> Generator[CheckResult, None, torch.Tensor | None]:
        """Return the scores with other padding too; None after telling why there are none."""
        arguments = padding.changed(self.arguments, self.rows)
        if arguments is None:
            reason = Reason(
                "the padding cannot change: no sample ends with it, and the network may know it by its value"
            )
            yield from not_checked([PADDING], reason)
            return None
        try:
            padded = self._run(arguments)
        except Exception as error:  # a user's forward may raise anything for another length
            reason = Reason("the network fails on samples with other padding ({error})", error=_in_short(error))
            yield from not_checked([PADDING], reason)
            return None
        if self._aligned(self.before, padded) is None:
            yield from not_checked([PADDING], Reason("the outputs are not one for each element of a sequence"))
            return None
        return padded

    def _run(self, arguments: Any) -> torch.Tensor:
        return _without_excluded(self.subject.scores(arguments))

    def _other_cause(self, plain: torch.Tensor) -> Reason | None:
        """Return what else than a leak changes the scores: the seed, or a state that the first forward pass sets."""
        subject, limit = self.subject, threshold_of(BATCH).value
        other_seed = subject.scores_in_turn([self.arguments], subject.seed + 1)
        if self._change(plain, _without_excluded(other_seed.scores[0])) > limit:
            return Reason("the network draws random numbers in evaluation mode")
        if not other_seed.changes_state:
            return None
        # In the state that the whole batch has set, a leak changes the scores of a part all the same.
        all_scores, part = subject.scores_in_turn([subject.arguments, self.arguments], subject.seed).scores
        before = _without_excluded(all_scores)[self.rows.to(all_scores.device)]
        if self._change(before, _without_excluded(part)) <= limit:
            return Reason("the first forward pass sets a state of the network that depends on the batch")
        return None

    def _change(self, before: torch.Tensor, after: torch.Tensor) -> float:
        """Return the root mean square of the change of scores, relative to that of the differences between samples."""
        aligned = self._aligned(before, after)
        assert aligned is not None
        change = root_mean_square(aligned[1] - aligned[0]) / self.spread
        return inf if isnan(change) else change

    def _aligned(self, before: torch.Tensor, after: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return the scores of the same elements, without those of padding; None if they cannot be matched."""
        if self.padding is not None and before.dim() > 1 and before.shape[1] == self.padding.mask.shape[1]:
            length = after.shape[1]
            real = ~self.padding.mask[self.rows.to(self.padding.mask.device), :length].to(before.device)
            before, after = before[:, :length], after[:, :length]
            return (before[real], after[real]) if before.shape == after.shape else None
        return (before, after) if before.shape == after.shape else None


def _without_excluded(scores: torch.Tensor) -> torch.Tensor:
    """Return scores with zeros in the place of minus infinity, which excludes a class."""
    return scores.masked_fill(scores == -torch.inf, 0.0)


def _in_short(error: Exception) -> str:
    """Return the error of the network's own code, or of torch, in one line."""
    return named_reason(error.__cause__ or error)
