"""Gaussian integrals and gains against closed forms."""

from math import pi, sqrt

import numpy as np
import pytest
import torch
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
        # In training its slope is random.
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


def test_gain_runs_no_hooks_and_does_not_change_the_module():
    module = nn.PReLU()
    called = []
    module.register_forward_hook(lambda *_: called.append(1))
    theory.gain(module)
    assert not called
    assert isinstance(module.weight, nn.Parameter)
    assert module.weight.dtype == torch.float32
    assert module.training


def test_earlier_results_do_not_change_later_ones():
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
def test_names_are_torchs_functions(name):
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
            "it is random",
        ),
        (lambda: theory.gain(nn.Softmax(-1)), "it does not work element by element"),
        (lambda: theory.gain(lambda x: 1 / x), "pole"),
        (lambda: theory.gain(lambda x: np.exp(x**2)), "grows too fast"),
        (lambda: theory.gain(nn.Threshold), "cannot be built"),
    ],
)
def test_wrong_use(call, words):
    with pytest.raises(ValueError, match=words):
        call()
