"""Biases with a meaning, and convolutions that begin as interpolation: what the papers say of them."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from initsk import initialize
from initsk.initializers import ICNR, BilinearUpsampling, ChronoBias, ForgetGateBias, PerParameter, PriorBias
from initsk.network import MLP
from tests.helpers import build


def test_chrono_bias_of_an_lstm():
    lstm = build(lambda: nn.LSTM(3, 400, num_layers=2, bidirectional=True))
    initialize(lstm, "orthogonal", bias_initializer=ChronoBias(60), random_state=0)
    seen = []
    for name, bias in lstm.named_parameters():
        if name.startswith("bias_hh"):
            assert not bias.any()
        elif name.startswith("bias_ih"):
            input_gate, forget_gate, cell, output_gate = bias.detach().chunk(4)
            assert torch.equal(input_gate, -forget_gate)
            assert not cell.any()
            assert not output_gate.any()
            seen.append(forget_gate.double().exp().numpy())
    # exp(b_f) ~ U(1, 59); false alarms of the test 1e-4, with a fixed seed. Layers and directions differ.
    assert stats.kstest(np.concatenate(seen), stats.uniform(1, 58).cdf).pvalue > 1e-4
    assert len({values[0] for values in seen}) == 4


def test_chrono_bias_of_a_gru_opens_the_gate_that_keeps():
    gru = build(lambda: nn.GRUCell(3, 400))
    initialize(gru, "orthogonal", bias_initializer=ChronoBias(60), random_state=0)
    reset, update, new = gru.bias_ih.detach().chunk(3)
    assert not reset.any()
    assert not new.any()
    assert stats.kstest(update.double().exp().numpy(), stats.uniform(1, 58).cdf).pvalue > 1e-4
    # With nothing but its biases a state of 1 is kept by sigmoid(b) in each step.
    with torch.no_grad():
        for weight in (gru.weight_ih, gru.weight_hh):
            weight.zero_()
        state = gru(torch.zeros(1, 3), torch.ones(1, 400))
    torch.testing.assert_close(state[0], torch.sigmoid(update))


def test_chrono_promise():
    expected = ChronoBias(60).expected_moments(spec := _forget_gate())
    values = ChronoBias(60).draw(spec, torch.Generator().manual_seed(0), torch.float64)
    n = values.numel()
    # Six standard errors: for a normal mean a false alarm in some five hundred million; the fourth moment is bounded.
    assert abs(float(values.mean()) - expected.mean) <= 6 * (expected.variance / n) ** 0.5
    square = (values - expected.mean).square()
    assert abs(float(square.mean()) - expected.variance) <= 6 * float(square.std()) / n**0.5
    assert float((values - expected.mean).abs().max()) <= expected.bound


def _forget_gate():
    from initsk.network import ParameterSpec

    return ParameterSpec((4000,), 3, 4000, role="bias", kind="recurrent", name="rnn.bias_ih_l0", block="f")


def test_prior_bias_at_the_output_alone():
    module = build(lambda: MLP(6, 3, (8,)))
    initialize(module, PerParameter([("prior", PriorBias(0.02), "output.bias")]), random_state=0)
    assert torch.sigmoid(module.output.bias.detach()).numpy() == pytest.approx(0.02)
    assert not module.hidden_1.bias.any()


@pytest.mark.parametrize("bias", [ChronoBias(), PriorBias(), ForgetGateBias()])
def test_biases_are_not_weights(bias):
    with pytest.raises(ValueError, match="fills biases, not a weight"):
        initialize(build(lambda: nn.Linear(3, 3)), output_initializer=bias)


@pytest.mark.parametrize(("wrong", "words"), [(ChronoBias(2), "number > 2"), (PriorBias(1.0), "> 0 and < 1")])
def test_wrong_biases(wrong, words):
    with pytest.raises(ValueError, match=words):
        initialize(build(lambda: nn.LSTM(3, 3)), bias_initializer=wrong)


def test_icnr_begins_as_nearest_neighbour_resizing():
    module = build(lambda: nn.Conv2d(5, 3 * 9, 3, padding=1, groups=1))
    initialize(module, ICNR(3), random_state=0)
    X = torch.randn(2, 5, 7, 7, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        shuffled = nn.PixelShuffle(3)(module(X))
        small = nn.functional.conv2d(X, module.weight[::9], padding=1)
    torch.testing.assert_close(shuffled, nn.functional.interpolate(small, scale_factor=3, mode="nearest"))
    # He's variance by the layer's own fan_in.
    values = module.weight[::9].detach().double()
    assert abs(float(values.square().mean()) - 2 / 45) <= 6 * 2 / 45 * (2 / values.numel()) ** 0.5


def test_icnr_leaves_other_layers_to_its_base():
    module = build(lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(12, 3)))
    found = initialize(module, ICNR(2, base="lecun_normal"), random_state=0).to_frame().set_index("name")["initializer"]
    assert found["2.weight"] == "LeCunNormal()"
    with pytest.raises(ValueError, match="needs outputs in multiples of 3"):
        initialize(module, ICNR(3))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize(
    ("kind", "mode", "shape"),
    [
        (nn.ConvTranspose1d, "linear", (7,)),
        (nn.ConvTranspose2d, "bilinear", (7, 6)),
        (nn.ConvTranspose3d, "trilinear", (5, 6, 5)),
    ],
)
@pytest.mark.parametrize("groups", [1, 3])
def test_bilinear_upsampling_is_interpolation(kind, mode, shape, scale, groups):
    module = build(lambda: kind(3, 3, 2 * scale, stride=scale, padding=scale // 2, groups=groups, bias=False))
    initialize(module, BilinearUpsampling())
    X = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = module(X)
    theirs = nn.functional.interpolate(X, scale_factor=scale, mode=mode, align_corners=False)
    inside = (..., *[slice(scale, -scale)] * len(shape))
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours[inside], theirs[inside])


def test_bilinear_upsampling_is_for_transposed_convolutions():
    with pytest.raises(ValueError, match="needs a transposed convolution"):
        initialize(build(lambda: nn.Conv2d(3, 3, 4)), "bilinear")
    mixed = PerParameter([("up", "bilinear", nn.ConvTranspose2d)])
    module = build(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 4, 4, stride=2)))
    initialize(module, mixed, random_state=0)
    assert float(module[1].weight.detach().sum()) == pytest.approx(4 * 4)
