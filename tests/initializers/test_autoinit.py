"""AutoInit."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from torch.nn.utils.parametrizations import spectral_norm

from initsk import initialize, theory
from initsk.exceptions import ModuleError
from initsk.initializers import (
    AutoInit,
    VarianceScaling,
)
from initsk.network import MLP
from tests.helpers import batch, build
from tests.initializers.support import assert_same_state, outputs, state


class Apply(nn.Module):
    """Network that applies a function and then a layer."""

    def __init__(self, function, width=32):
        super().__init__()
        self.function = function
        self.layer = nn.Linear(width, 3)

    def forward(self, x):
        return self.layer(self.function(x))


def square_that_reaches(module, layer="layer", **parameters):
    """Return the mean square that AutoInit calculates for the input of a layer; exact, because the draws are equal."""
    found = []
    for initializer in (VarianceScaling(distribution="truncated_normal"), AutoInit(**parameters)):
        initialize(module, initializer, random_state=0)
        found.append(module.get_submodule(layer).weight.detach().clone())
    ratio = (found[0] / found[1])[found[0] != 0]
    assert float(ratio.max() - ratio.min()) < 1e-4 * float(ratio.max())
    return float(ratio.mean()) ** 2


RELU_MEAN = (2 * np.pi) ** -0.5


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (nn.Identity(), 1.0),
        (nn.ReLU(inplace=True), 0.5),
        (torch.relu, 0.5),
        (lambda x: x.relu(), 0.5),
        (lambda x: F.relu(x, inplace=True), 0.5),
        (lambda x: F.leaky_relu(x, 0.2, inplace=True), 0.52),
        (nn.LeakyReLU(0.2, inplace=True), 0.52),
        (lambda x: F.leaky_relu(x, negative_slope=0.2), 0.52),
        (nn.Tanh(), 0.394294),
        (lambda x: x.clamp(-1, 1), 0.516059),
        (lambda x: x**2, 3.0),
        (lambda x: x * x, 3.0),
        (lambda x: x + x, 4.0),
        (lambda x: 2 * x + 1, 5.0),
        (lambda x: (1 - x) / 2, 0.5),
        (lambda x: -x, 1.0),
        (lambda x: torch.add(x, torch.relu(x), alpha=2), (1 + 9) / 2),
        (lambda x: x + torch.relu(x), (1 + 4) / 2),
        (lambda x: x * torch.sigmoid(x), theory.gain("silu") ** -2),
        (lambda x: torch.cat([x[:, :16], torch.relu(x)[:, 16:]], dim=1), 0.75),
        (lambda x: torch.cat([x[:, :8], torch.relu(x)[:, 8:]], dim=-1), 0.625),
        (lambda x: x.view(x.size(0), -1).reshape(x.shape).permute(0, 1), 1.0),
        (lambda x: x.chunk(2, dim=1)[0].repeat(1, 2), 1.0),
        (lambda x: F.dropout(x, 0.75), 4.0),
        (lambda x: F.dropout(x, 0.75, training=False), 1.0),
        (nn.Dropout(0.5), 2.0),
        (nn.AlphaDropout(0.5), 1.0),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm1d(32)), 1.0),
        (lambda x: F.layer_norm(3 * x, (32,)), 1.0),
        (nn.RMSNorm(32), 1.0),
        (nn.Sequential(nn.ReLU(), nn.Unflatten(1, (4, 8)), nn.Flatten()), 0.5),
        (lambda x: F.pad(x[:, :24], (4, 4)), 0.75),
        (lambda x: x + torch.ones(32), 2.0),
        (lambda x: F.gelu(x, approximate="none"), 1 / 3 + 1 / (2 * 3**0.5 * np.pi)),
        (nn.PReLU(init=0.5), 0.625),
        (nn.RReLU(0.1, 0.3), 0.52),
        (lambda x: x * torch.full((32,), 3.0), 9.0),
        (lambda x: F.softmax(x, dim=1), 2 / 32**2),
    ],
)
def test_moments_known_by_hand(function, expected):
    module = build(lambda: Apply(function))
    assert square_that_reaches(module, input_shape=(32,)) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize(
    ("function", "width", "expected"),
    [
        (nn.Sequential(nn.AvgPool1d(4), nn.Flatten()), 8, 1 / 4 + 1),
        (lambda x: F.avg_pool1d(x, 4).flatten(1), 8, 1 / 4 + 1),
        (lambda x: x.mean(dim=2), 4, 1 / 8 + 1),
        (nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten()), 4, 1 / 8 + 1),
        # The larger of two values: mean 1 / sqrt(pi) and mean square 1 about the mean of the signal.
        (lambda x: F.max_pool1d(x, 2).flatten(1), 16, 1 + 2 * np.pi**-0.5 + 1),
        (nn.Sequential(nn.AdaptiveMaxPool1d(4), nn.Flatten()), 16, 1 + 2 * np.pi**-0.5 + 1),
        (nn.Sequential(nn.ReflectionPad1d(2), nn.AvgPool1d(3), nn.Flatten()), 16, 1 / 3 + 1),
        (nn.Sequential(nn.GroupNorm(2, 4), nn.Flatten()), 32, 1.0),
        (nn.Sequential(nn.Dropout(0.5), nn.Flatten()), 32, 4.0),
    ],
)
def test_moments_of_windows_and_of_inputs_with_a_mean(function, width, expected):
    module = build(lambda: Apply(function, width))
    found = square_that_reaches(module, input_mean=1.0, input_variance=1.0, input_shape=(4, 8))
    assert found == pytest.approx(expected, rel=1e-6)


def test_autoinit_variances_of_the_articles_network():
    # Sample variances of at least 32768 values; five standard errors: one false alarm in two million draws.
    module = build(lambda: MLP(784, 512, (512, 256, 128)))
    initialize(module, AutoInit(input_mean=0.1, input_variance=0.09), random_state=0)
    for layer, square in zip(
        [m for m in module.children() if isinstance(m, nn.Linear)], [0.1, 0.5, 0.5, 0.5], strict=True
    ):
        weight = layer.weight.detach().double()
        assert float(weight.var()) * layer.in_features * square == pytest.approx(1, abs=5 * (2 / weight.numel()) ** 0.5)
        # Truncated at two standard deviations, before the correction.
        assert float(weight.abs().max()) <= 2.2738 * (1 / layer.in_features / square) ** 0.5


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(400, 400), nn.Linear(400, 400)

    def forward(self, x, mask=None, factor=1.0):
        if mask is not None:
            x = x * mask
        return x + factor * self.down(torch.tanh(self.up(F.relu(x))))


def test_autoinit_through_residual_branches():
    # Means over 400 units and 5 seeds. The calculation assumes normal signals, so the test allows 10 per cent.
    X = batch(200, 64)
    found = []
    for seed in range(5):
        module = build(lambda: nn.Sequential(nn.Linear(64, 400), Block(), Block(), nn.ReLU(), nn.Linear(400, 400)))
        initialize(module, AutoInit(), random_state=seed)
        found.append([float(output.square().mean()) for (output,) in outputs(module, X).values()])
    np.testing.assert_allclose(np.mean(found, axis=0), 1, rtol=0.1)


@pytest.mark.parametrize("again", [False, True], ids=["frozen", "called twice"])
def test_autoinit_uses_the_values_of_layers_that_it_does_not_set(again):
    inner = build(lambda: nn.Linear(32, 32))
    module = build(lambda: Apply(nn.Sequential(inner, nn.ReLU(), inner) if again else inner))
    if not again:
        inner.requires_grad_(False)
        inner.bias.fill_(0.5)
    found = square_that_reaches(module, input_mean=0.0 if again else 1.0)
    weight, bias = inner.weight.detach().double(), inner.bias.detach().double()
    mean, variance = (RELU_MEAN, 0.5 - RELU_MEAN**2) if again else (1.0, 1.0)
    # Over the batch, each unit has this mean and variance.
    units = mean * weight.sum(1) + bias, variance * weight.square().sum(1)
    assert found == pytest.approx(float((units[0] ** 2 + units[1]).mean()), rel=1e-4)


@pytest.mark.parametrize(
    ("factory", "shapes"),
    [
        (lambda: nn.Conv2d(20, 30, 5, groups=2), [(8, 20, 9, 9)]),
        (lambda: nn.ConvTranspose2d(30, 20, 4, stride=2, padding=3), [(8, 30, 9, 9)]),
        (lambda: nn.Bilinear(9, 9, 50), [(500, 9), (500, 9)]),
    ],
    ids=["Conv2d", "ConvTranspose2d", "Bilinear"],
)
def test_autoinit_of_other_layers(factory, shapes):
    layer = build(factory)
    X = [batch(*shape, seed=seed) + 1 for seed, shape in enumerate(shapes)]
    squares = []
    for seed in range(20):
        initialize(layer, AutoInit(input_mean=1.0), random_state=seed)
        squares.append(float(layer(*X).detach().square().mean()))
    # Four standard errors of the mean of 20: at most one false alarm in a thousand.
    assert np.mean(squares) == pytest.approx(1, abs=4 * np.std(squares, ddof=1) / 20**0.5)


def test_dropout_that_depends_on_the_mode():
    class Asking(Apply):
        def forward(self, x):
            return super().forward(F.dropout(x, 0.75, self.training))

    for training in (True, False):
        module = build(lambda: Asking(nn.Identity())).train(training)
        assert square_that_reaches(module) == pytest.approx(4.0, rel=1e-5)
        assert module.training == training


def test_autoinit_ignores_operations_after_the_last_layer():
    module = build(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LSTM(4, 1)))
    initialize(module, "autoinit", random_state=0)


def test_embeddings_have_variance_one():
    module = build(lambda: nn.Sequential(nn.Embedding(1000, 50), nn.Linear(50, 3)))
    # 50000 values: five standard errors.
    assert square_that_reaches(module, "1") == pytest.approx(1, abs=5 * (2 / 50_000) ** 0.5)


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(torch.relu(x)) if x.sum() > -1e9 else x


def test_decisions_about_values():
    assert square_that_reaches(build(Deciding)) == pytest.approx(0.5)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.TransformerEncoderLayer(32, 4, dropout=0.0, norm_first=True, batch_first=True)
        self.layer = nn.Linear(32, 3)

    def forward(self, x):
        return self.layer(self.inner.self_attn(x, x, x)[0])


def test_attention_is_an_average_over_positions():
    module = build(Encoder)
    found = square_that_reaches(module, "inner.self_attn.out_proj", input_shape=(8, 32))
    # The packed projection has 3072 weights of variance 1 / 32, and biases of zero; four standard errors.
    assert found == pytest.approx(1 / 8, rel=4 * (2 / 3072) ** 0.5)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.layer = nn.LSTM(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(self.rnn(x)[0])


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (Recurrent, "no rule for the operation 'lstm', at 'rnn'"),
        (lambda: nn.TransformerEncoderLayer(4, 2), "needs the input's shape, for .* attention"),
        (lambda: Apply(lambda x: x.view(-1, 5, 7), 3), "needs the input's shape, because no input was found"),
        (lambda: Apply(lambda x: torch.fft.fft(x).real, 3), "no rule for the operation 'fft_fft'"),
        (lambda: Apply(lambda x: x.mean((2, 3)), 3), "AutoInit needs the input's shape"),
        (lambda: Apply(lambda x: 0 * x, 3), "the input of layer 'layer' is zero"),
        (lambda: nn.Sequential(nn.ReLU(), spectral_norm(nn.Linear(3, 9))).eval(), "parametrization of layer"),
    ],
)
def test_autoinit_names_unknown_operations(factory, message):
    module = build(factory)
    before = state(module)
    with pytest.raises(ModuleError, match=message):
        initialize(module, AutoInit(input_variance=3.0), random_state=0)
    assert_same_state(module, before)


def test_autoinit_leaves_no_attributes_in_the_module():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.last = None

        def forward(self, x):
            self.last = x
            return self.layer(x + torch.randn(4))

    module = build(Noisy)
    names = sorted(vars(module))
    initialize(module, "autoinit", random_state=0)
    assert sorted(vars(module)) == names
    assert module.last is None
