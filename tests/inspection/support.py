"""Values and modules that several tests of inspections share."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from tests.helpers import batch, build

DRAWS = {
    "normal": batch(5000) * 3 + 1,
    "tiny": batch(5000).exp() * 1e-30,
    "huge": batch(5000) * 1e30,
    "half zeros": batch(5000).relu(),
    "far": batch(5000).double() + 1e6,
    "small counts": torch.arange(7.0),
}
UNIFORM = torch.rand(3000, generator=torch.Generator().manual_seed(1))
VALUES = {
    "skewed": batch(3000).exp(),
    "two peaks": torch.cat([batch(1500) - 20, batch(1500) + 20]),
    "heavy tails": torch.tan(3.1 * (UNIFORM - 0.5)),
    "half zeros": batch(3000).relu(),
    "integers": (UNIFORM * 6).floor(),
    "tiny": UNIFORM * 1e-30,
    "huge": batch(3000) * 1e30,
    "one value": torch.tensor([-0.3]),
    "constant": torch.full((50,), 7.1),
    "outlier": torch.cat([batch(2999), torch.tensor([1e4])]),
}
each_value = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)


class Calls(nn.Module):
    """A linear layer with weight 1 that alternates with the given functions."""

    def __init__(self, *functions):
        super().__init__()
        self.fc = build(lambda: nn.Linear(1, 1, bias=False))
        nn.init.ones_(self.fc.weight)
        self.functions = functions

    def forward(self, x):
        for function in self.functions:
            x = function(self.fc(x))
        return x


def peak_memory(program, argument):
    """Return the peak memory of a Python program in kB; the program prints it."""
    done = subprocess.run([sys.executable, "-c", program, argument], capture_output=True, text=True, check=True)
    return int(done.stdout)
