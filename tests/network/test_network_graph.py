"""Traced graphs: activation functions and residual branches."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    DepthScaledResidual,
    Fixup,
    RandomNormal,
    TFixup,
)
from tests.helpers import build, record, variance_fits


class ResidualNetwork(nn.Module):
    def __init__(self, depth=2, n=3, norm=None, width=30):
        super().__init__()
        self.stem, self.head = nn.Linear(width, width), nn.Linear(width, 3)
        self.blocks = nn.ModuleList(nn.ModuleList([nn.Linear(width, width) for _ in range(depth)]) for _ in range(n))
        self.norms = nn.ModuleList((norm or (lambda w: nn.Identity()))(width) for _ in range(n))

    def forward(self, x):
        x = self.stem(x)
        for block, norm in zip(self.blocks, self.norms, strict=False):
            y = x
            for layer in block:
                y = layer(torch.relu(y))
            x = x + norm(y)
        return self.head(x)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_fixup_counts_the_layers_of_a_branch(depth):
    m = build(lambda: ResidualNetwork(depth, 4, width=100))
    record(m, "fixup")
    assert variance_fits(m.blocks[1][0].weight, 2 / 100 * 4 ** (-2 / (2 * depth - 2)))


def test_fixup_leaves_normalizations():
    m = build(lambda: ResidualNetwork(norm=nn.LayerNorm))
    record(m, "fixup")
    assert all(bool((n.weight == 1).all()) for n in m.norms)


def test_rms_normalizations_are_left():
    m = build(lambda: ResidualNetwork(norm=nn.RMSNorm))
    record(m, "zero_last_in_branch")
    assert not any(bool(n.weight.any()) for n in m.norms)
    assert m.blocks[0][1].weight.any()
    assert "identity" in record(build(lambda: nn.RMSNorm(3)), "he_normal").loc["weight", "why"]


def test_fixup_lets_its_base_check_the_specs():
    with pytest.raises(InvalidParameterError, match="no transformer layer"):
        record(build(ResidualNetwork), Fixup(TFixup()))


def test_subclasses_of_layers_are_layers():
    class Mine(nn.Linear):
        def forward(self, x):
            # Tracing does not enter a layer, so that this decision is no problem.
            return super().forward(x) if x.sum() > 0 else 2 * super().forward(x)

    m = build(lambda: nn.Sequential(Mine(3, 3), nn.Tanh(), nn.Linear(3, 3)))
    assert record(m, "auto").loc["0.weight", "why"] == "feeds tanh(2 x), which saturates"


class WithAttention(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        self.stem, self.head = nn.Linear(40, 40), nn.Linear(40, 3)
        self.a = nn.ModuleList(nn.MultiheadAttention(40, 4) for _ in range(n))

    def forward(self, x):
        x = self.stem(x)
        for a in self.a:
            x = x + a(x, x, x, need_weights=False)[0]
        return self.head(x)


def test_attention_is_two_layers():
    m = build(WithAttention)
    record(m, "fixup")
    # two layers to a branch: values times L^(-1/2), output projection 0
    assert not m.a[0].out_proj.weight.any()
    assert variance_fits(m.a[0].in_proj_weight, 2 / 40 / 4)


def test_positions_of_attention_in_a_branch():
    m = build(WithAttention)
    record(m, "gpt2")
    assert variance_fits(m.a[0].in_proj_weight, 0.02**2)
    assert variance_fits(m.a[0].out_proj.weight, 0.02**2 / 4)


def test_activation_functions_with_arguments():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(200, 200), nn.Linear(200, 2)

        def forward(self, x):
            return self.b(functional.leaky_relu(self.a(x), 0.8))

    m = build(Net)
    record(m, "auto")
    assert variance_fits(m.a.weight, 2 / (1 + 0.64) / 200)


def test_in_place_additions_are_branches():
    class Net(ResidualNetwork):
        def forward(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x += block[1](torch.relu(block[0](x)))
            return self.head(x)

    m = build(Net)
    record(m, "zero_last_in_branch")
    assert not any(bool(b[1].weight.any()) for b in m.blocks)


def test_normalizations_at_the_start_of_a_branch():
    # A normalization before a branch's layers keeps its scale of 1, and the last layer becomes 0.
    class Net(ResidualNetwork):
        def __init__(self):
            super().__init__(norm=nn.LayerNorm, depth=1)

        def forward(self, x):
            x = self.stem(x)
            for block, norm in zip(self.blocks, self.norms, strict=False):
                x = x + block[0](norm(x))
            return self.head(x)

    m = build(Net)
    record(m, "zero_last_in_branch")
    assert all(bool((n.weight == 1).all()) for n in m.norms)
    assert not any(bool(b[0].weight.any()) for b in m.blocks)


def test_normalizations_within_a_branch():
    # Without a normalization at the end of the branch, the last layer becomes 0.
    class Net(ResidualNetwork):
        def __init__(self):
            super().__init__(norm=nn.LayerNorm)

        def forward(self, x):
            x = self.stem(x)
            for block, norm in zip(self.blocks, self.norms, strict=False):
                x = x + block[1](torch.relu(norm(block[0](x))))
            return self.head(x)

    m = build(Net)
    record(m, "zero_last_in_branch")
    assert not any(bool(b[1].weight.any()) for b in m.blocks)
    assert all(bool((n.weight == 1).all()) for n in m.norms)


def test_branches_within_branches():
    # In a branch with an inner branch, the inner layers belong to the inner branch.
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b, self.c, self.head = (nn.Linear(100, 100) for _ in range(5))

        def forward(self, x):
            x = self.stem(x)
            y = torch.relu(self.a(x))
            y = y + self.b(y)
            return self.head(x + self.c(torch.relu(y)))

    m = build(Net)
    record(m, DepthScaledResidual(RandomNormal(1.0)))
    assert variance_fits(m.b.weight, 1 / 2)
    assert variance_fits(m.c.weight, 1 / 2)
    assert variance_fits(m.a.weight, 1)


def test_modules_that_tracing_does_not_enter():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.enc, self.head = nn.Linear(8, 8), nn.TransformerEncoderLayer(8, 2, 16), nn.Linear(8, 3)

        def forward(self, x):
            return torch.tanh(self.head(self.enc(self.stem(x))))

    m = build(Net)
    assert record(m, "auto").loc["stem.weight", "why"] == "feeds no activation function"


def test_towers_are_no_branches():
    # Two towers of layers that are added are no residual branch.
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b, self.c, self.d, self.e, self.head = (nn.Linear(8, 8) for _ in range(7))

        def forward(self, x):
            x = self.stem(x)
            return self.head(self.b(torch.relu(self.a(x))) + self.e(torch.relu(self.d(torch.relu(self.c(x))))))

    with pytest.raises(InvalidParameterError, match="no residual branch"):
        record(build(Towers), "fixup")


def test_equal_sides_are_no_branches():
    class Equal(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b, self.head = (nn.Linear(8, 8) for _ in range(4))

        def forward(self, x):
            x = self.stem(x)
            return self.head(self.a(x) + self.b(x))

    with pytest.raises(InvalidParameterError, match="no residual branch"):
        record(build(Equal), "fixup")


def test_in_place_multiples_of_the_input():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(200, 200), nn.Linear(200, 2)

        def forward(self, x):
            h = self.a(x)
            h *= 3.0
            return self.b(torch.relu(h))

    m = build(Net)
    record(m, "auto")
    assert variance_fits(m.a.weight, 2 / 9 / 200)


def test_negative_factors_of_sine():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (nn.Linear(200, 200) for _ in range(3))

        def forward(self, x):
            return self.c(torch.sin(-7 * self.b(torch.sin(-7 * self.a(x)))))

    assert record(build(Net), "auto").loc["b.weight", "initializer"] == "Siren(omega_0=7.0)"
