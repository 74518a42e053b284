"""The parts and parameters of a module, as lists: torch's own iterators pass every value through each level."""

from collections.abc import Iterator

from torch import nn


def named_parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return names and parts in the order of ``named_modules``, each part once.

    Examples
    --------
    >>> [name for name, _ in named_parts(nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh()))]
    ['', '0', '0.0', '1']
    """
    found, seen, waiting = [], set(), [("", module)]
    while waiting:
        name, part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        found.append((name, part))
        prefix = f"{name}." if name else ""
        waiting += [(f"{prefix}{short}", child) for short, child in reversed([*part.named_children()])]
    return found


def parts_of(module: nn.Module) -> list[nn.Module]:
    """Return the parts of a module, each once."""
    return [part for _, part in named_parts(module)]


def parameters_of(module: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the parameters of a module, each once."""
    seen: set[int] = set()
    for _, part in named_parts(module):
        for parameter in part.parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield parameter
