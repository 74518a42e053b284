"""AutoInit's rules for single operations, and its messages about other operations."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from initsk import initialize, theory
from initsk.exceptions import ModuleError
from initsk.initializers import AutoInit, Constant, VarianceScaling
from initsk.network import ParameterSpec
from tests.helpers import build, record, variance_fits


def test_complex_weights_are_refused():
    m = build(lambda: nn.Sequential(nn.Linear(3, 3, dtype=torch.complex64)))
    with pytest.raises(ModuleError, match="is complex"):
        record(m, "autoinit")


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.never = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.a(x)


def test_the_record_names_layers_that_are_not_called():
    assert "not called" in record(build(Unused), "autoinit").loc["never.weight", "why"]


def test_autoinit_has_no_expected_moments():
    assert AutoInit().expected_moments(ParameterSpec.from_shape((4, 3))) is None


class Apply(nn.Module):
    def __init__(self, function, width=32):
        super().__init__()
        self.function, self.layer = function, nn.Linear(width, 3)

    def forward(self, x):
        return self.layer(self.function(x))


def mean_square_of_input(module, **p):
    """Return the mean square of the layer's input that AutoInit has computed."""
    found = []
    for s in (VarianceScaling(distribution="truncated_normal"), AutoInit(**p)):
        initialize(module, s, random_state=0, **({"bias_initializer": "zeros"}))
        found.append(module.layer.weight.detach().clone())
    return float((found[0] / found[1])[found[0] != 0].mean()) ** 2


def test_pooling_in_two_dimensions():
    for f, e in (
        (nn.AvgPool2d(2), 1 / 4),
        (nn.AvgPool2d((2, 4)), 1 / 8),
        (lambda x: functional.avg_pool2d(x, 2), 1 / 4),
    ):
        m = build(lambda f=f, e=e: Apply(lambda x: f(x).flatten(1), int(32 * e)))
        assert mean_square_of_input(m, input_shape=(2, 4, 4)) == pytest.approx(e)


def test_pooling_windows_of_unequal_sides():
    m = build(lambda: Apply(lambda x: functional.avg_pool2d(x, (2,)).flatten(1), 8))
    assert mean_square_of_input(m, input_shape=(2, 4, 4)) == pytest.approx(1 / 4)


def test_gated_linear_units():
    square = theory.gaussian_mean(lambda x: 1 / (1 + np.exp(-x)) ** 2)
    for f in (nn.GLU(), functional.glu):
        m = build(lambda f=f: Apply(f, 16))
        assert mean_square_of_input(m, input_shape=(32,)) == pytest.approx(square)


def test_normalizations_have_their_own_scale():
    for norm in (nn.LayerNorm(32), nn.BatchNorm1d(32), nn.GroupNorm(4, 32)):
        nn.init.constant_(norm.weight, 2.0)
        nn.init.constant_(norm.bias, 3.0)
        m = build(lambda norm=norm: Apply(norm))
        assert mean_square_of_input(m) == pytest.approx(13.0)


def test_rms_normalization():
    m = build(lambda: Apply(nn.RMSNorm(32)))
    assert mean_square_of_input(m, input_mean=1.0, input_variance=8.0) == pytest.approx(1.0)


def test_padding_with_a_value():
    m = build(lambda: Apply(nn.ConstantPad1d((8, 8), 2.0)))
    assert mean_square_of_input(m, input_shape=(16,)) == pytest.approx(0.5 + 2.0)


def test_prelu_as_a_function():
    m = build(lambda: Apply(lambda x: functional.prelu(x, torch.tensor([0.5]))))
    assert mean_square_of_input(m) == pytest.approx(0.625)


def test_biases_count_in_the_next_layers_input():
    m = build(lambda: nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 3)))
    initialize(m, VarianceScaling(distribution="truncated_normal"), bias_initializer=Constant(2.0), random_state=0)
    a = m[1].weight.detach().clone()
    initialize(m, AutoInit(), bias_initializer=Constant(2.0), random_state=0)
    b = m[1].weight.detach().clone()
    assert float((a / b)[a != 0].mean()) ** 2 == pytest.approx(5.0, rel=1e-4)


def test_a_linear_first_layer_gives_the_input_shape():
    m = build(lambda: nn.Sequential(nn.Linear(8, 16), nn.Softmax(dim=-1), nn.Linear(16, 3)))
    record(m, "autoinit")  # the first layer gives the width of one input
    # the mean square of a softmax over 16 elements is 2 / 256
    assert variance_fits(m[2].weight, 1 / 16 * 128)


def test_frozen_transposed_convolutions():
    # A frozen transposed convolution keeps its weights: 3 for one unit and 0 for the other.
    inner = build(lambda: nn.ConvTranspose1d(1, 2, 1))
    inner.requires_grad_(False)
    inner.bias.zero_()
    inner.weight.copy_(torch.tensor([[[3.0], [0.0]]]))
    m = build(lambda: Apply(nn.Sequential(inner, nn.Flatten()), 8))
    assert mean_square_of_input(m, input_shape=(1, 4)) == pytest.approx(4.5)


def test_frozen_bilinear_layers():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair, self.layer = nn.Bilinear(4, 4, 6).requires_grad_(False), nn.Linear(6, 3)

        def forward(self, x):
            return self.layer(self.pair(x, 3 * x))

    m = build(Pair)
    m.pair.bias.zero_()
    assert mean_square_of_input(m) == pytest.approx(9 * float(m.pair.weight.square().sum((1, 2)).mean()), rel=1e-4)


def test_instance_normalization():
    m = build(lambda: Apply(nn.Sequential(nn.InstanceNorm1d(4), nn.Flatten())))
    assert mean_square_of_input(m, input_variance=9.0) == pytest.approx(1.0)
