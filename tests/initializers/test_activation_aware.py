"""Auto and EdgeOfChaos."""

import math
from math import pi, sqrt

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from initsk import initialize, theory
from initsk.initializers import (
    EdgeOfChaos,
)
from initsk.network import MLP
from tests.helpers import batch, build, record, variance_fits
from tests.initializers.support import Decoder


def test_gain_of_a_function_with_a_kink():
    a = 0.3137
    density, above = np.exp(-a * a / 2) / math.sqrt(2 * math.pi), stats.norm.sf(a)
    assert theory.gain(lambda x: np.maximum(x - a, 0)) == pytest.approx(
        ((1 + a * a) * above - a * density) ** -0.5, rel=1e-9
    )


GLOROT = "GlorotOrthogonal()"


class Functional(nn.Module):
    """Network that calls activation functions as functions, methods and modules."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d, self.e = (nn.Linear(100, 100) for _ in range(5))
        self.leaky = nn.LeakyReLU(0.3)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        x = F.gelu(self.drop(self.a(x)))
        x = self.b(x).tanh()
        x = self.leaky(self.c(x))
        x = torch.sin(30 * self.d(x))
        return self.e(x)


def test_auto_chooses_by_the_activation_function():
    module = build(Functional)
    found = record(module, "auto")["initializer"]
    # No function comes before the first layer, so that it has no gain.
    assert variance_fits(module.a.weight, 1 / 100)
    assert found["b.weight"] == GLOROT
    assert variance_fits(module.c.weight, 2 / (1 + 0.3**2) / 100)
    assert found["d.weight"] == "Siren()"
    assert found["e.weight"] == "Scaled(base=LeCunOrthogonal(), factor=0.57735)"
    assert variance_fits(module.e.weight, 1 / 3 / 100)


class Sines(nn.Module):
    """Sine network with one plain sine."""

    def __init__(self, omega=7):
        super().__init__()
        self.first, self.second, self.plain, self.last = (nn.Linear(300, 300) for _ in range(4))
        self.omega = omega

    def forward(self, x):
        x = torch.sin(self.omega * self.first(x))
        x = torch.sin(self.second(x) * self.omega)
        return self.last(torch.sin(self.plain(x)))


def test_auto_reads_the_factor_of_a_sine():
    module = build(Sines)
    found = record(module, "auto")["initializer"]
    assert found[["first.weight", "first.bias", "second.weight"]].tolist() == ["Siren(omega_0=7.0)"] * 3
    # Later sines keep inputs of variance 1: 7^2 Var(W) n E[sin^2], with a mean square of the sine of about 1 / 2.
    assert variance_fits(module.second.weight, 2 / 300 / 49)
    assert variance_fits(module.plain.weight, theory.gain("sin") ** 2 / 300)
    assert not module.plain.bias.any()


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("relu6", "VarianceScaling(distribution='orthogonal', activation='relu6')"),
        ("hardtanh", GLOROT),
        ("sigmoid", GLOROT),
    ],
)
def test_auto_does_not_treat_relu6_as_saturating(activation, expected):
    found = record(build(lambda: MLP(3, 2, (4, 4), activation=activation)), "auto")["initializer"]
    assert found["hidden_2.weight"] == expected


def test_gain_of_a_multiple():
    # 3 relu(x) = relu(3 x): a third of the gain.
    class Tripled(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(200, 200), nn.Linear(200, 2)

        def forward(self, x):
            return self.b(torch.relu(3.0 * self.a(x)))

    module = build(Tripled)
    record(module, "auto")
    assert variance_fits(module.a.weight, 2 / 9 / 200)


@pytest.mark.parametrize("activation", ["relu", "selu", "elu", "silu", "mish"])
def test_auto_keeps_the_mean_square_before_any_activation(activation):
    module = build(lambda: MLP(300, 10, (300, 400), activation=activation))
    record(module, "auto")
    # The mean square after the activation function, as a sum over the normal density.
    x = torch.linspace(-10, 10, 400_001, dtype=torch.float64)
    density = torch.exp(-x.square() / 2) / sqrt(2 * pi) * (x[1] - x[0])
    mean_square = float((module.activation_1(x).square() * density).sum())
    assert variance_fits(module.hidden_2.weight, 1 / mean_square / 300)
    # Of a standardized input. A factor of all signals of ReLU is one of the outputs only, and He et al. keep it.
    assert variance_fits(module.hidden_1.weight, (2 if activation == "relu" else 1) / 300)


def test_auto_in_recurrent_and_attention_layers():
    found = record(build(lambda: nn.GRU(10, 20)), "auto")["initializer"]
    assert found["weight_ih_l0"] == "GlorotUniform()"
    assert found["weight_hh_l0"] == "Orthogonal()"
    found = record(build(lambda: nn.MultiheadAttention(8, 2)), "auto")["initializer"]
    assert found["in_proj_weight"] == found["out_proj.weight"] == "GlorotUniform()"


def test_auto_in_a_module_with_decisions_about_values():
    found = record(build(Decoder), "auto")["why"]
    assert "block with a normalization" in found["blocks.1.up.weight"]
    assert found["head.weight"].startswith("output layer")
    assert found["embed.weight"].startswith("embedding")


@pytest.mark.parametrize(
    ("activation", "given", "expected", "bias_variance"),
    [("tanh", 0.05, 1.760955, 0.05), ("relu", None, 2.0, 0.0), ("gelu", None, 1.983058, 0.172922)],
)
def test_edge_of_chaos(activation, given, expected, bias_variance):
    module = build(lambda: MLP(300, 10, (400, 300), activation=activation))
    found = record(module, EdgeOfChaos(bias_variance=given))
    assert variance_fits(module.hidden_1.weight, expected / 300)
    assert variance_fits(module.hidden_2.weight, expected / 400)
    assert variance_fits(module.output.weight, 1 / 300)  # no activation function follows
    assert variance_fits(module.hidden_1.bias, bias_variance)
    assert found.loc["output.bias", "std_after"] == 0


def test_edge_of_chaos_raises_without_a_stable_critical_point():
    module = build(lambda: MLP(3, 2, (4,)))
    with pytest.raises(ValueError, match=r"relu.*no stable critical point.*None, which means 0.*hidden_1"):
        initialize(module, EdgeOfChaos(bias_variance=0.1))


def test_tracing_keeps_the_random_state():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(x) + torch.rand(3)

    module = build(Noisy)
    before = torch.get_rng_state()
    record(module, "auto")
    assert torch.equal(torch.get_rng_state(), before)


class Block(nn.Module):
    """A pre-norm or a post-norm block, or one without a normalization."""

    def __init__(self, norm):
        super().__init__()
        self.norm, self.up, self.down, self.place = nn.LayerNorm(100), nn.Linear(100, 400), nn.Linear(400, 100), norm

    def forward(self, x):
        branch = self.down(torch.tanh(self.up(self.norm(x) if self.place == "before" else x)))
        return self.norm(x + branch) if self.place == "after" else x + branch


@pytest.mark.parametrize("place", ["before", "after", ""])
def test_layers_on_branches_between_normalizations_begin_small(place):
    module = build(lambda: nn.Sequential(nn.Linear(20, 100), Block(place), Block(place), nn.Linear(100, 10)))
    initialize(module, "auto", X=batch(4, 20), random_state=0)
    # SmallInit (Nguyen and Salazar 2019) for the layer's own width, and Glorot without a normalization.
    assert variance_fits(module[1].up.weight, 0.4 / 100 if place else 2 / 500)
    assert variance_fits(module[1].down.weight, (0.4 if place else 1) / 400 / 2)
