"""Critical points against published values and their equations."""

from math import pi, sqrt

import numpy as np
import pytest
from scipy import special

from initsk import theory


@pytest.mark.parametrize(
    ("activation", "bias_variance", "weight_variance", "length"),
    [
        ("tanh", 0.01, 1.424205, 0.273301),
        ("tanh", 0.05, 1.760955, 0.570048),
        ("tanh", 0.1, 1.986073, 0.805799),
        ("tanh", 0.2, 2.285152, 1.164496),
        ("tanh", 0.0, 1.0, 0.0),
        ("erf", 0.0, pi / 4, 0.0),
        ("relu", 0.0, 2.0, 1.0),
        ("identity", 0.0, 1.0, 1.0),
        ("leaky_relu", 0.0, 2 / 1.0001, 1.0),
    ],
)
def test_critical_points(activation, bias_variance, weight_variance, length):
    point = theory.critical_point(activation, bias_variance)
    assert point.weight_variance == pytest.approx(weight_variance, abs=1e-6)
    assert point.length == pytest.approx(length, abs=1e-6)


@pytest.mark.parametrize(
    ("activation", "bias_variance", "weight_variance", "length"),
    [
        # Roberts, Yaida and Hanin 2022, section 5.3.4.
        ("silu", 0.55514317, 1.98800468, 14.32017362),
        ("gelu", 0.17292239, 1.98305826, None),
        ("tanh", 0.0, 1.0, 0.0),
        ("relu", 0.0, 2.0, 1.0),
    ],
)
def test_smallest_bias_variances_with_stable_lengths(activation, bias_variance, weight_variance, length):
    point = theory.critical_point(activation)
    assert point.bias_variance == pytest.approx(bias_variance, abs=1e-8)
    assert point.weight_variance == pytest.approx(weight_variance, abs=1e-8)
    assert point.length_slope == 1
    assert length is None or point.length == pytest.approx(length, abs=1e-6)


@pytest.mark.parametrize(
    ("activation", "derivative", "bias_variance"),
    [
        ("gelu", lambda x: special.ndtr(x) + x * np.exp(-x * x / 2) / sqrt(2 * pi), 0.3),
        ("tanh", lambda x: 1 - np.tanh(x) ** 2, 0.05),
        ("sigmoid", lambda x: special.expit(x) * special.expit(-x), 0.0),
        ("elu", lambda x: np.exp(np.minimum(x, 0)), 0.1),
    ],
)
def test_critical_point_solves_its_equations(activation, derivative, bias_variance):
    point = theory.critical_point(activation, bias_variance)
    function = theory.as_function(activation)

    def next_length(length):
        square = theory.gaussian_mean(lambda x: function(x) ** 2, length)
        return point.weight_variance * square + bias_variance

    assert next_length(point.length) == pytest.approx(point.length, rel=1e-8)
    chi = point.weight_variance * theory.gaussian_mean(lambda x: derivative(x) ** 2, point.length)
    assert chi == pytest.approx(1, abs=1e-7)
    step = 1e-4 * point.length
    slope = (next_length(point.length + step) - next_length(point.length - step)) / (2 * step)
    assert slope == pytest.approx(point.length_slope, abs=1e-5)
    assert slope < 1


def test_lengths_stay_along_the_critical_line():
    # With a slope of 1 (mish) lengths may drift; with a slope of 1.1 they grow by a factor of ten thousand.
    for name in ["gelu", "silu", "mish", "tanh", "elu", "selu", "relu6"]:
        point, function = theory.critical_point(name), theory.as_function(name)
        length = 1.2 * point.length + 0.1
        for _ in range(100):
            square = theory.gaussian_mean(lambda x, f=function: f(x) ** 2, length)
            length = point.weight_variance * square + point.bias_variance
        assert length < 2 * point.length + 0.2
