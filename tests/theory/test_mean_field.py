"""Mean field theory against published values, closed forms and random networks."""

from itertools import pairwise
from math import acos, asin, exp, pi, sqrt

import numpy as np
import pytest
import torch
from torch import nn

from initsk import theory
from initsk.initializers import Orthogonal
from initsk.theory import MeanField


@pytest.mark.parametrize(
    ("weight_variance", "xi_c"),
    # Schoenholz et al. 2017, figure 5, at bias variance 0.05.
    [(1.0, 3.63), (1.3, 7.83), (1.5, 15.8), (1.7, 74.9), (1.9, 39.4), (2.2, 16.2), (2.5, 11.8), (3, 9.05), (4, 6.98)],
)
def test_depth_scales_of_tanh(weight_variance, xi_c):
    field = MeanField("tanh", weight_variance, 0.05)
    assert field.depth_scales().xi_c == pytest.approx(xi_c, rel=5e-3)
    assert field.phase == ("ordered" if weight_variance < 1.76 else "chaotic")


@pytest.mark.parametrize(
    ("activation", "bias_variance", "weight_variance"),
    [("erf", 0.01, 1.11428), ("erf", 0.05, 1.37584), ("erf", 0.1, 1.55212), ("erf", 0.2, 1.78818),
     ("tanh", 0.01, 1.424205), ("tanh", 0.05, 1.760955), ("tanh", 0.1, 1.986073), ("tanh", 0.2, 2.285152),
     ("relu", 0.0, 2.0), ("identity", 0.0, 1.0), ("tanh", 0.0, 1.0)],
)  # fmt: skip
def test_each_variance_of_a_critical_point_follows_from_the_other(activation, bias_variance, weight_variance):
    back = theory.critical_point(activation, weight_variance=weight_variance)
    assert back.bias_variance == pytest.approx(bias_variance, abs=2e-6)
    there = theory.critical_point(activation, bias_variance)
    assert there.weight_variance == pytest.approx(weight_variance, abs=5e-6)
    field = MeanField(activation, there.weight_variance, bias_variance)
    assert field.chi_1 == pytest.approx(1, abs=1e-6)
    assert field.length == pytest.approx(there.length, abs=1e-5)
    assert field.correlation == pytest.approx(1, abs=1e-4)


def test_relu_is_critical_only_at_two_and_zero():
    field = MeanField("relu", 2.0)
    assert (field.phase, field.length) == ("critical", 1.0)
    assert field.depth_scales() == theory.DepthScales(float("inf"), float("inf"))
    assert (MeanField("relu", 1.99).phase, MeanField("relu", 2.01).phase) == ("ordered", "chaotic")
    assert (MeanField("relu", 1.5).length, MeanField("relu", 3.0).length) == (0.0, float("inf"))
    # Where lengths grow without limit, gradients grow too: by 3 / 2 with each layer.
    assert MeanField("relu", 3.0).depth_scales().xi_c == pytest.approx(1 / np.log(1.5))
    assert MeanField("relu", 1.0, 0.1).length == pytest.approx(0.2)


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.3, 0.9, 0.99, 1.0])
def test_correlations_in_closed_form(correlation):
    # Cho and Saul 2009, equation 6, of degree 1; Williams 1997, equation 11.
    angle = acos(correlation)
    relu = (sqrt(1 - correlation**2) + correlation * (pi - angle)) / pi
    assert MeanField("relu", 2.0).correlation_map(correlation) == pytest.approx(relu, abs=1e-9)
    field = MeanField("erf", 2.0, 0.3)
    share = 2 * field.length / (1 + 2 * field.length)
    product = 2 / pi * asin(share * correlation)
    assert field.correlation_map(correlation) == pytest.approx((2 * product + 0.3) / field.length, abs=1e-9)


def test_fixed_points_are_fixed_and_approached_at_the_predicted_rate():
    for field in (MeanField("tanh", 2.5, 0.05), MeanField("tanh", 1.3, 0.05), MeanField("gelu", 1.5, 0.2),
                  MeanField("sin", 3.0, 0.1), MeanField("sigmoid", 16.0), MeanField("hardtanh", 2.0, 0.1)):  # fmt: skip
        assert field.length_map(field.length) == pytest.approx(field.length, rel=1e-9)
        assert field.correlation_map(field.correlation) == pytest.approx(field.correlation, abs=1e-9)
        scales = field.depth_scales()
        for step, fixed, scale in (
            (field.length_map, field.length, scales.xi_q),
            (field.correlation_map, field.correlation, scales.xi_c),
        ):
            values = [fixed * 0.999]
            for _ in range(4):
                values.append(step(values[-1]))
            for before, after in pairwise(values):
                assert (after - fixed) / (before - fixed) == pytest.approx(exp(-1 / scale), rel=0.02, abs=1e-3)


def test_users_functions_are_integrated():
    own, known = MeanField(lambda x: np.maximum(x, 0.1 * x), 1.5, 0.2), MeanField(nn.LeakyReLU(0.1), 1.5, 0.2)
    assert own.length == pytest.approx(1.5 * own.length * (1 + 0.01) / 2 + 0.2)
    assert own.depth_scales() == known.depth_scales()


def jacobians(activation, depth, width, weight_variance, orthogonal, draws):
    """Return the squared singular values of Jacobians at an input of the fixed point's length."""
    function = {"linear": lambda x: x, "relu": torch.relu, "tanh": torch.tanh}[activation]
    generator = torch.Generator().manual_seed(0)
    found = []
    for seed in range(draws):
        x = torch.randn(width, generator=generator, dtype=torch.float64)
        jacobian = torch.eye(width, dtype=torch.float64)
        for layer in range(depth):
            weight = torch.randn(width, width, generator=generator, dtype=torch.float64) / width**0.5
            if orthogonal:
                weight = Orthogonal().sample((width, width), random_state=100 * seed + layer).double()
            before = (weight_variance**0.5 * weight @ x).requires_grad_()
            after = function(before)
            [slope] = torch.autograd.grad(after.sum(), before)
            jacobian = slope[:, None] * weight_variance**0.5 * (weight @ jacobian)
            x = after.detach()
        found.append(torch.linalg.svdvals(jacobian) ** 2)
    return torch.cat(found).numpy()


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize(("activation", "weight_variance"), [("linear", 1.0), ("relu", 2.0)])
def test_singular_values_spread_as_predicted(activation, weight_variance, orthogonal):
    # The formula is the limit of infinite width; at width 200 corrections are of the order of depth / width.
    measured = jacobians(activation, 3, 200, weight_variance, orthogonal, draws=8)
    distribution = "orthogonal" if orthogonal else "normal"
    mean, spread = MeanField(activation, weight_variance).spread_of_singular_values(3, distribution)
    assert measured.mean() == pytest.approx(mean, rel=0.15)
    assert measured.var() / measured.mean() ** 2 == pytest.approx(spread, rel=0.2, abs=1e-9)


def test_tanh_can_be_isometric_and_relu_cannot():
    def spread(activation, weight_variance, bias_variance=0.0):
        field = MeanField(activation, weight_variance, bias_variance)
        return field.spread_of_singular_values(100, "orthogonal")[1]

    assert spread("tanh", 1.0) == pytest.approx(0, abs=1e-6)
    small, large = (spread("tanh", theory.critical_point("tanh", b).weight_variance, b) for b in (1e-4, 0.05))
    assert small < large / 10
    assert spread("relu", 2.0) == pytest.approx(100, rel=1e-6)


@pytest.mark.parametrize("activation", ["hardshrink", np.sign, lambda x: np.where(x > 0.3, x, 0.0)])
def test_a_function_that_jumps_is_chaotic(activation):
    # Similar inputs on either side of a jump become different: the slope's mean square is infinite.
    field = MeanField(activation, 0.9, 0.2)
    assert (field.phase, field.chi_1) == ("chaotic", float("inf"))
    assert 0 < field.correlation < 1
    assert field.correlation_map(field.correlation) == pytest.approx(field.correlation, abs=1e-9)
    assert np.isnan(field.spread_of_singular_values(3)[1])
    with pytest.raises(ValueError, match="jumps, so every network is chaotic"):
        theory.phase_diagram(activation)


def test_a_steep_function_does_not_jump():
    with pytest.raises(ValueError, match="grows too fast"):
        theory.critical_point(np.exp)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: MeanField("rely", 1.0).length, "did you mean 'relu'"),
        (lambda: MeanField("relu", 0.0, -1.0).chi_1, "weight_variance=0.0 .*; bias_variance=-1.0"),
        (lambda: MeanField("relu", 1.0).correlation_map(1.5), "correlation=1.5 is not allowed"),
        (lambda: MeanField("relu", 1.0).length_map(-1.0), "length=-1.0 is not allowed"),
        (lambda: MeanField("relu", 1.0).spread_of_singular_values(0, "uniform"), "depth=0 .*; distribution='uniform'"),
        (lambda: theory.critical_point("tanh", 0.1, weight_variance=2.0), "are both given"),
        (lambda: theory.critical_point("relu", weight_variance=3.0), "no stable critical point with weight_variance=3"),
        (lambda: theory.prediction_interval(1.0, 0.1, confidence=1.0), "confidence=1.0 is not allowed"),
    ],
)  # fmt: skip
def test_wrong_use(call, words):
    with pytest.raises(ValueError, match=words):
        call()
