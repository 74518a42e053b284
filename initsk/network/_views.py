"""Views of tensors: which part of a parameter or of an operation's result a tensor holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch

Factors = tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class View:
    """A tensor as a view of another one, or as a function of it that keeps its shape.

    Attributes
    ----------
    root : str or int
        The name of a parameter, or the number of an operation.
    shadow : tensor on the meta device, or None
        The same view of a contiguous tensor without memory; None if values were rearranged in another way.
    size : int
        Number of values of the root.
    modifies : bool
        Whether the root only changes another tensor, as a factor does.
    """

    root: str | int
    shadow: torch.Tensor | None
    size: int
    modifies: bool = False

    @classmethod
    def of(cls, root: str | int, shape: Sequence[int]) -> "View":
        """Return the view of a whole tensor."""
        return cls(root, torch.empty(tuple(shape), device="meta"), prod(shape))

    def through(self, function: Callable[..., Any], rest: Sequence[Any], keywords: dict[str, Any]) -> list["View"]:
        """Return the views that a function of torch gives for this view."""
        if self.shadow is None:
            return [self]
        try:
            with torch.no_grad():
                results = function(self.shadow, *map(_plain, rest), **keywords)
        except Exception:  # an index by values, or a function that the meta device does not have
            return [replace(self, shadow=None)]
        results = results if isinstance(results, list | tuple) else [results]
        return [replace(self, shadow=part if shares_memory(part, self.shadow) else None) for part in results]

    def factors(self, roles: Sequence[str]) -> Factors | None:
        """Return the sizes and roles of the root's values in the order of memory, given the roles of the view's axes.

        Axes that the view selects from have the role "block". None if the view cannot be described so.

        Examples
        --------
        >>> View.of("w", (12, 4)).through(torch.chunk, (3,), {})[1].factors(("out", "in"))
        ((3, 'block'), (4, 'out'), (4, 'in'))
        """
        if self.shadow is None:
            return None
        axes = zip(self.shadow.stride(), self.shadow.shape, roles, strict=True)
        lower, found = self.size, []
        for stride, size, role in sorted((axis for axis in axes if axis[1] > 1 and axis[0] > 0), reverse=True):
            span = stride * size
            if span > lower or lower % span:
                return None
            found += [(lower // span, "block")] * (span < lower) + [(size, role)]
            lower = stride
        return tuple(found + [(lower, "block")] * (lower > 1))


def _plain(value: Any) -> Any:
    """Return an index of one value as a number, which selects a view instead of a copy."""
    if isinstance(value, torch.Tensor) and value.dim() == 0 and not value.is_floating_point():
        return int(value)
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def shares_memory(result: Any, shadow: torch.Tensor) -> bool:
    """Return whether a result is a view of the shadow; a contiguous copy in the same order counts as the same."""
    if not isinstance(result, torch.Tensor) or result.layout is not torch.strided:
        return result is shadow
    return shadow.layout is torch.strided and result.untyped_storage() is shadow.untyped_storage()


def parts_of_output(views: Sequence[View], axis: int, shape: Sequence[int]) -> int:
    """Return the number of equal, contiguous parts of an axis that operations take separately; 1 if there are none."""
    units, step = shape[axis], prod(shape[axis + 1 :])
    if not units * step:
        return 1
    starts, widths = set(), set()
    for view in views:
        if view.shadow is None:
            return 1
        within = [
            (stride // step, size)
            for stride, size in zip(view.shadow.stride(), view.shadow.shape, strict=True)
            if step <= stride < step * units and size > 1
        ]
        width = 1 + sum((size - 1) * stride for stride, size in within)
        if width != prod(size for _, size in within):
            return 1
        starts.add(view.shadow.storage_offset() // step % units)
        widths.add(width)
    if len(widths) != 1 or units % (width := widths.pop()):
        return 1
    n_parts = units // width
    return n_parts if starts == {width * part for part in range(n_parts)} else 1


def arrange(blocks: torch.Tensor, layout: Factors) -> torch.Tensor:
    """Return blocks of shape ``(count, out, in)`` in the order of memory that a layout describes.

    Examples
    --------
    >>> arrange(torch.arange(6).reshape(1, 2, 3), ((3, "in"), (2, "out"))).tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    order = sorted(range(len(layout)), key=lambda factor: ("block", "out", "in").index(layout[factor][1]))
    values = blocks.reshape([layout[factor][0] for factor in order])
    return values.permute([order.index(factor) for factor in range(len(layout))])
