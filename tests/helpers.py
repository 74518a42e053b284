"""Tools of the tests: modules and batches from fixed seeds, tolerances, simple networks."""

import math
import re

import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from initsk import initialize
from initsk.initializers import ExpectedMoments, Initializer

# False alarm rate of a Kolmogorov-Smirnov test; the seeds are fixed.
RARE = 1e-6


def build(factory):
    """Build a module from a fixed seed, without changing the global random state."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return factory()


def batch(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def variance_fits(tensor, variance):
    """Return whether the mean square is within six standard errors; false alarm rate about 1e-8 for normal values."""
    squares = tensor.detach().double().square()
    return abs(float(squares.mean()) - variance) <= 6 * variance * math.sqrt(2 / squares.numel())


def record(module, initializer, **arguments):
    return initialize(module, initializer, random_state=0, **arguments).to_frame().set_index("name")


class Right(Initializer):
    """Initializer that passes every check, as a base for classes that fail one."""

    formula = "W ~ N(0, 1)"

    def __init__(self, size=1.0):
        self.size = size

    def draw_values(self, spec, generator, dtype):
        return torch.randn(spec.shape, generator=generator, dtype=dtype)

    def expected_moments(self, spec):
        return ExpectedMoments(1.0)


class Listening(Callback):
    """Callback on batches, with which a net must use autograd and skorch's own steps."""

    def on_batch_end(self, net, **kwargs):
        pass


class Net(nn.Module):
    """Module of named layers and a given forward function."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.compute = forward

    def forward(self, *args, **kwargs):
        return self.compute(self, *args, **kwargs)


def hooks_of(module):
    """Return the hooks of a module and its parts by name; torch stores hooks in dictionaries with numbers as keys."""
    found = {}
    for name, part in module.named_modules():
        held = [value for value in vars(part).values() if isinstance(value, dict)]
        found[name] = [hook for hooks in held for number, hook in hooks.items() if isinstance(number, int)]
    return {name: hooks for name, hooks in found.items() if hooks}


def fc(weight=1.0, bias=0.0):
    layer = build(lambda: nn.Linear(1, 1))
    layer.weight.data.fill_(weight)
    layer.bias.data.fill_(bias)
    return layer


def params(names, *, slow):
    """Return the parameters of a test by name, of which the slow tests alone run those in `slow`."""
    return [pytest.param(name, marks=[pytest.mark.slow] if name in slow else []) for name in names]


def of_folders(paths, root):
    """Parametrize a test with the files of each folder below `root`; a test for every file would take longer."""
    folders = {}
    for path in paths:
        folders.setdefault(path.relative_to(root).parts[0], []).append(path)
    return pytest.mark.parametrize("paths", folders.values(), ids=folders)


def label(value):
    """Return the text of a value for the name of a test, without addresses: both test processes need the same names."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
