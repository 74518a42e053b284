"""Symbolic tracing (torch.fx) that leaves nothing behind in the module."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import fx, nn

from initsk.initializers._network import AFFINE


class Tracer(fx.Tracer):
    """Takes layers as one operation, a user's subclass of them included."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Say whether a module is taken as one operation."""
        return isinstance(m, AFFINE) or super().is_leaf_module(m, module_qualified_name)


@contextmanager
def attributes_stay(module: nn.Module) -> Iterator[None]:
    """Take away what tracing leaves in modules: constants of the graph, symbols that a forward keeps."""
    before = [(vars(part), dict(vars(part))) for part in module.modules()]
    try:
        yield
    finally:
        for attributes, values in before:
            attributes.clear()
            attributes.update(values)
