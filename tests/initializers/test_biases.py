"""Initializers of biases."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from initsk import initialize
from initsk.initializers import (
    ChronoBias,
    ForgetGateBias,
    PerParameter,
    PriorBias,
)
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


def test_chrono_bias_of_a_gru_sets_the_update_gate():
    gru = build(lambda: nn.GRUCell(3, 400))
    initialize(gru, "orthogonal", bias_initializer=ChronoBias(60), random_state=0)
    reset, update, new = gru.bias_ih.detach().chunk(3)
    assert not reset.any()
    assert not new.any()
    assert stats.kstest(update.double().exp().numpy(), stats.uniform(1, 58).cdf).pvalue > 1e-4
    # With zero weights, each step multiplies a state of 1 by sigmoid(b).
    with torch.no_grad():
        for weight in (gru.weight_ih, gru.weight_hh):
            weight.zero_()
        state = gru(torch.zeros(1, 3), torch.ones(1, 400))
    torch.testing.assert_close(state[0], torch.sigmoid(update))


def test_expected_moments_of_chrono_bias():
    expected = ChronoBias(60).expected_moments(spec := _forget_gate())
    values = ChronoBias(60).draw(spec, torch.Generator().manual_seed(0), torch.float64)
    n = values.numel()
    # Six standard errors: one false alarm in five hundred million for a normal mean. The fourth moment is bounded.
    assert abs(float(values.mean()) - expected.mean) <= 6 * (expected.variance / n) ** 0.5
    square = (values - expected.mean).square()
    assert abs(float(square.mean()) - expected.variance) <= 6 * float(square.std()) / n**0.5
    assert float((values - expected.mean).abs().max()) <= expected.bound


def _forget_gate():
    from initsk.network import ParameterSpec

    return ParameterSpec((4000,), 3, 4000, role="bias", kind="recurrent", name="rnn.bias_ih_l0", block="f")


def test_prior_bias_of_the_output_layer():
    module = build(lambda: MLP(6, 3, (8,)))
    initialize(module, PerParameter([("prior", PriorBias(0.02), "output.bias")]), random_state=0)
    assert torch.sigmoid(module.output.bias.detach()).numpy() == pytest.approx(0.02)
    assert not module.hidden_1.bias.any()


@pytest.mark.parametrize("bias", [ChronoBias(), PriorBias(), ForgetGateBias()])
def test_bias_initializers_raise_for_weights(bias):
    with pytest.raises(ValueError, match="fills biases, not a weight"):
        initialize(build(lambda: nn.Linear(3, 3)), output_initializer=bias)


@pytest.mark.parametrize(("wrong", "words"), [(ChronoBias(2), "number > 2"), (PriorBias(1.0), "> 0 and < 1")])
def test_wrong_biases(wrong, words):
    with pytest.raises(ValueError, match=words):
        initialize(build(lambda: nn.LSTM(3, 3)), bias_initializer=wrong)
