"""Gaussian integrals against known answers."""

from math import pi, sqrt

import numpy as np
import pytest
import torch
from scipy import special
from torch import nn

from initsk import theory
from initsk.network import ACTIVATIONS


@pytest.mark.parametrize(
    ("activation", "second_moment"),
    [
        ("relu", 1 / 2),
        ("identity", 1.0),
        ("leaky_relu", (1 + 0.01**2) / 2),
        ("erf", 2 / pi * np.arcsin(2 / 3)),
        ("sin", (1 - np.exp(-2)) / 2),
        (lambda x: np.exp(x / 4), np.exp(1 / 8)),
        (lambda x: np.maximum(x - 0.3137, 0), None),
        (nn.LeakyReLU(0.2), (1 + 0.04) / 2),
        (nn.LeakyReLU(0.2, inplace=True), (1 + 0.04) / 2),
        (nn.ReLU, 1 / 2),
        (nn.PReLU(init=0.875), (1 + 0.875**2) / 2),
        (nn.PReLU(num_parameters=3, init=0.5), (1 + 0.25) / 2),
        # In training its slope is left to chance.
        (nn.RReLU(0.1, 0.3), (1 + 0.04) / 2),
        (theory.OfMultiple("relu", 3.0), 9 / 2),
        (torch.relu, 1 / 2),
    ],
)
def test_gain_in_closed_form(activation, second_moment):
    if second_moment is None:  # E max(z - a, 0)^2, with its kink between the panels
        a = 0.3137
        density, above = np.exp(-a * a / 2) / sqrt(2 * pi), 0.5 * (1 - torch.erf(torch.tensor(a / sqrt(2))).item())
        second_moment = (1 + a * a) * above - a * density
        assert theory.gain(activation) == pytest.approx(second_moment**-0.5, rel=1e-6)
        return
    assert theory.gain(activation) == pytest.approx(second_moment**-0.5, rel=1e-9)


def test_gain_keeps_the_length_of_tanh_and_not_of_gelu():
    for name, stays in (("tanh", True), ("gelu", False)):
        gain, function = theory.gain(name), theory.as_function(name)
        length = gain**2
        for _ in range(60):
            length = gain**2 * theory.gaussian_mean(lambda x, f=function: f(x) ** 2, length)
        assert (abs(length - 1) < 1e-6) == stays
        assert (length > 100) != stays


def test_a_module_is_asked_without_its_hooks_and_left_as_it_was():
    module = nn.PReLU()
    called = []
    module.register_forward_hook(lambda *_: called.append(1))
    theory.gain(module)
    assert not called
    assert isinstance(module.weight, nn.Parameter)
    assert module.weight.dtype == torch.float32
    assert module.training


def test_what_was_asked_before_does_not_matter():
    theory.critical_point(lambda x: np.clip(x, 0, 20), 0.1)
    with pytest.raises(ValueError, match="no stable critical point"):
        theory.critical_point("relu", 0.1)
    module = nn.PReLU(init=0.0)
    assert theory.gain(module) == pytest.approx(sqrt(2))
    nn.init.ones_(module.weight)
    assert theory.gain(module) == pytest.approx(1)


def test_selu_keeps_the_mean_square():
    # Klambauer et al. 2017: (0, 1) is the fixed point of mean and variance.
    assert theory.gain("selu") == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"identity"}))
def test_names_mean_what_torch_means(name):
    x = np.linspace(-7, 7, 141)
    with torch.no_grad():
        expected = ACTIVATIONS[name]().eval().double()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(theory.as_function(name)(x), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("variance", [1e-8, 0.3, 1.0, 40.0, 1e4])
def test_moments_of_the_normal_distribution(variance):
    assert theory.gaussian_mean(lambda x: x**2, variance) == pytest.approx(variance, rel=1e-10)
    assert theory.gaussian_mean(lambda x: x**4, variance) == pytest.approx(3 * variance**2, rel=1e-10)
    assert theory.gaussian_mean(lambda x: np.maximum(x, 0), variance) == pytest.approx(sqrt(variance / 2 / pi))


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
def test_least_biases_at_which_lengths_are_stable(activation, bias_variance, weight_variance, length):
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
    # Where the slope is just 1 (mish) they may still drift; where it is 1.1 they grow by a factor of ten thousand.
    for name in ["gelu", "silu", "mish", "tanh", "elu", "selu", "relu6"]:
        point, function = theory.critical_point(name), theory.as_function(name)
        length = 1.2 * point.length + 0.1
        for _ in range(100):
            square = theory.gaussian_mean(lambda x, f=function: f(x) ** 2, length)
            length = point.weight_variance * square + point.bias_variance
        assert length < 2 * point.length + 0.2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theory.gain("rely"), "did you mean 'relu'"),
        (lambda: theory.gain(3), "a name, or a function"),
        (lambda: theory.gain(lambda x: 0 * x), "zero everywhere"),
        (lambda: theory.gain(lambda x: 1 / np.maximum(x, 0)), "not finite"),
        (lambda: theory.gain(lambda x: x.sum()), "element by element"),
        (lambda: theory.gain(lambda x: x.nothing), "cannot be applied"),
        (lambda: theory.critical_point("relu", 0.1), r"no stable critical point .*None, which means 0"),
        (lambda: theory.critical_point("gelu", 0.0), r"no stable critical point .*None, which means 0.172922"),
        (lambda: theory.critical_point("softplus"), "no stable critical point"),
        (lambda: theory.critical_point("hardshrink"), "jumps"),
        (lambda: theory.critical_point(np.sign), "jumps"),
        (lambda: theory.critical_point("tanh", -1), "bias_variance=-1 is not allowed"),
        (lambda: theory.critical_point("tanh", "a"), "bias_variance='a' is not allowed"),
        (lambda: theory.gaussian_mean(np.abs, 0), "variance=0 is not allowed"),
        (
            lambda: theory.gain(lambda x: np.random.default_rng().normal(size=x.shape)),
            "element by element, or is random",
        ),
        (lambda: theory.gain(nn.Softmax(-1)), "element by element"),
        (lambda: theory.gain(lambda x: 1 / x), "pole"),
        (lambda: theory.gain(lambda x: np.exp(x**2)), "grows too fast"),
        (lambda: theory.gain(nn.Threshold), "cannot be built"),
    ],
)
def test_wrong_use(call, words):
    with pytest.raises(ValueError, match=words):
        call()
