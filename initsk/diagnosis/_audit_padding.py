"""Padding in the samples of an audit: where it is, and the same samples with other padding."""

from dataclasses import dataclass
from typing import Any

import torch

from initsk.diagnosis._audit_subject import Subject
from initsk.network import declared, map_arrays, tensors_in
from initsk.utils.reason import Reason

# Masks of transformers have the value 1 for elements to keep; those of torch are True for padding.
_KEEPING, _PADDING = "attention_mask", "padding_mask"
_DECODER = "decoder"


@dataclass(frozen=True)
class Padding:
    """The padding of sequences.

    Attributes
    ----------
    mask : tensor of bool of shape (n_samples, length)
        True for padding.
    given : str
        Name of the argument that tells the network where the padding is; "" if none does.
    values : tuple of int
        Integers that stand for padding wherever they are, as the network declares it.
    """

    mask: torch.Tensor
    given: str
    values: tuple[int, ...]

    def lengths(self) -> torch.Tensor:
        """Return for each sample the number of elements up to the last one that is not padding."""
        places = torch.arange(1, self.mask.shape[1] + 1, device=self.mask.device)
        return ((~self.mask) * places).amax(1).cpu()

    def changed(self, arguments: Any, rows: torch.Tensor) -> Any:
        """Return arguments with other padding in all samples; None if that cannot be done.

        Padding at the end of all samples is removed. If there is none, elements that are padding become real ones,
        provided that the network knows them by a mask and not by their value.

        Parameters
        ----------
        arguments : tuple or dict
            The arguments of the samples in `rows`.
        rows : tensor of int
        """
        mask, longest = self.mask[rows.to(self.mask.device)], int(self.lengths()[rows].max())
        if 0 < longest < mask.shape[1]:
            return map_arrays(
                lambda name, part: part[:, :longest] if self._holds(name, part, mask) else part, arguments
            )
        if not self.given or not mask.any() or mask.all(1).any():
            return None
        known: list[bool] = []

        def replaced(name: str, part: Any) -> Any:
            if not self._holds(name, part, mask) or _KEEPING in name or _PADDING in name:
                return part
            here = mask.to(part.device)
            known.append(not part.is_floating_point() and any(bool((part[here] == v).any()) for v in self.values))
            first = part[torch.arange(len(part), device=part.device), (~here).to(torch.uint8).argmax(1)]
            where = here.reshape(*here.shape, *[1] * (part.dim() - 2))
            return torch.where(where, first.unsqueeze(1), part)

        other = map_arrays(replaced, arguments)
        return None if not known or any(known) else other

    def _holds(self, name: str, part: Any, mask: torch.Tensor) -> bool:
        """Return whether an argument has the elements that the mask is about."""
        fits = isinstance(part, torch.Tensor) and part.dim() > 1 and part.shape[:2] == mask.shape
        return fits and (_DECODER in name) == (_DECODER in self.given)


def padding_of(subject: Subject) -> Padding | Reason:
    """Return the padding of the samples, or why it cannot be changed."""
    assert subject.batch is not None
    mask, given = subject.batch.padding, ""
    keywords = subject.batch.keywords
    for name, part in keywords.items():
        if mask is None and isinstance(part, torch.Tensor) and part.dim() == 2 and _is_mask(name, part):
            mask, given = (part == 0 if _KEEPING in name else part.bool()), name
    values = _values_for_padding(subject)
    if mask is None:
        mask = _padding_by_value(subject, values)
    if mask is None:
        return Reason("X has no mask of padding, and no other mask is given")
    if len(mask) != subject.n_samples:
        return Reason("the mask of padding has no row for each sample")
    if not mask.any():
        return Reason("no element of X is padding")
    same = (name for name, part in keywords.items() if isinstance(part, torch.Tensor) and part.shape == mask.shape)
    given = given or next((name for name in same if _KEEPING in name or _PADDING in name), "")
    return Padding(mask, given, values)


def _padding_by_value(subject: Subject, values: tuple[int, ...]) -> torch.Tensor | None:
    """Return a mask of the ends of sequences that consist of a declared value, if half of the samples have such ends.

    Fewer samples may end with this value by chance.
    """
    for part in tensors_in(subject.arguments):
        if part.dim() != 2 or len(part) != subject.n_samples or part.is_floating_point() or part.dtype == torch.bool:
            continue
        for value in values:
            mask = (part == value).flip(1).cumprod(1).flip(1).bool()
            if 2 * int(mask[:, -1].sum()) >= len(part) and not mask.all(1).any():
                return mask
    return None


def _is_mask(name: str, part: torch.Tensor) -> bool:
    """Return whether an argument is a mask of padding; a mask of real numbers is added to scores."""
    if part.is_floating_point():
        return _KEEPING in name and bool(((part == 0) | (part == 1)).all())
    return _KEEPING in name or _PADDING in name


def _values_for_padding(subject: Subject) -> tuple[int, ...]:
    module = subject.model.module
    found = [declared(declared(module, "config"), "pad_token_id")]
    found += [declared(part, "padding_idx") for part in module.modules()]
    return tuple({value for value in found if isinstance(value, int)})
