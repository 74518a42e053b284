"""Predictions of attention: of torch's layer, of torch's function, and written out."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from initsk import initialize
from initsk.diagnosis import predict_signal
from tests.diagnosis.test_predict_graph import PAIR, measured
from tests.helpers import batch, build


@pytest.mark.parametrize("normalized", [False, True])
def test_positive_weights_of_positions_that_are_no_softmax(normalized):
    def mix(x, f, g):
        weights = torch.sigmoid(f(x))
        return (weights / weights.sum(-1, keepdim=True) if normalized else weights) @ torch.relu(g(x))

    layers = build(lambda: (nn.Linear(64, 16), nn.Linear(64, 64)))
    squares, row = measured(mix, batch(8, 16, 64), *layers)
    assert squares.mean() == pytest.approx(row["forward"], rel=0.1)


class Relative(nn.Module):
    """Attention whose scores get relative positions from a network of their own."""

    def __init__(self):
        super().__init__()
        self.qkv, self.positions = nn.Linear(32, 96), nn.Linear(2, 1)
        self.register_buffer("table", batch(10, 10, 2, seed=3))

    def forward(self, x):
        query, key, value = self.qkv(x).chunk(3, -1)
        bias = self.positions(self.table + 0 * x[0, 0, 0]).squeeze(-1)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def test_scores_that_a_network_adds():
    network = build(Relative)
    frame = predict_signal(network, "he_normal", 0.1 * batch(6, 10, 32)).set_index("layer")
    # The values are independent at 10 positions; scores of variance v raise the sum of squared weights.
    value, v = frame.loc["qkv", "forward"], frame.loc["positions", "forward"]
    # Positions of one batch are not quite independent.
    assert 0.98 * value / 10 < frame["forward"].iloc[-1] < 1.02 * value / 10 * np.exp(v)
    assert frame.loc["qkv", "backward"] > 0
    assert np.isnan(frame.loc["positions", "backward"])


class Cross(nn.Module):
    """Attention of few queries to a memory of another size and another number of positions."""

    def __init__(self, keys_are_values=True, width=128):
        super().__init__()
        self.enter, self.keys_are_values = nn.Linear(6, 64), keys_are_values
        self.attention = nn.MultiheadAttention(64, 4, batch_first=True, kdim=width, vdim=width)
        self.head = nn.Linear(64, 3)

    def forward(self, queries, memory):
        keys = memory if self.keys_are_values else 0 * memory
        return self.head(self.attention(self.enter(queries), keys, memory, need_weights=False)[0])


@pytest.mark.parametrize("keys_are_values", [True, False])
def test_attention_averages_the_values_of_the_memory(keys_are_values):
    queries, memory = 0.1 * batch(40, 3, 6), 3 * batch(40, 20, 128, seed=1)
    network = build(lambda: Cross(keys_are_values))
    frame = predict_signal(network, "lecun_normal", (queries, memory))
    assert frame["layer"].is_unique
    assert frame["backward"].notna().all()
    row = frame.set_index("layer").loc["attention.scaled_dot_product_attention"]
    # The scores are small, so the mean of 20 independent values of mean square 9 remains.
    square = memory.square().mean().item() / 20
    assert row["forward"] == pytest.approx(square, rel=0.15)
    if keys_are_values:
        found = attended(network, queries, memory)
        after = frame.set_index("layer").loc["attention", "forward"]
        assert np.mean(found) == pytest.approx(after, abs=4 * np.std(found, ddof=1) / 20**0.5)


def attended(network, queries, memory):
    """Return the mean squares of the attention's output over 20 draws."""
    found = []
    for seed in range(20):
        initialize(network, "lecun_normal", X=(queries, memory), random_state=seed)
        with torch.no_grad():
            found.append(network.attention(network.enter(queries), memory, memory)[0].square().mean().item())
    return found


def test_values_of_a_narrow_memory_are_larger():
    """Scores and values depend on the same few numbers."""
    queries, memory = 0.1 * batch(40, 3, 6), 3 * batch(40, 20, 6, seed=1)
    network = build(lambda: Cross(width=6))
    predicted = predict_signal(network, "lecun_normal", (queries, memory)).set_index("layer")
    found = attended(network, queries, memory)
    assert np.mean(found) > predicted.loc["attention", "forward"] + 4 * np.std(found, ddof=1) / 20**0.5


def causal(x, f, g, add):
    mask = torch.ones(16, 16, dtype=torch.bool).triu(1)
    scores = f(x) @ g(x).transpose(1, 2) / 64
    added = torch.full((16, 16), float("-inf")).triu(1)
    return (scores + added if add else scores.masked_fill(mask, float("-inf"))).softmax(-1) @ x


@pytest.mark.parametrize("add", [False, True])
def test_masks_of_attention_that_is_written_out(add):
    squares, row = measured(lambda x, f, g: causal(x, f, g, add), batch(8, 16, 64), *PAIR)
    # With equal weights, query i sees i keys: the mean of 1 / i over 16 queries, here with small scores.
    assert row["forward"] == pytest.approx(sum(1 / i for i in range(1, 17)) / 16, rel=0.1)
    assert squares.mean() == pytest.approx(row["forward"], rel=0.1)


@pytest.mark.parametrize("boolean", [False, True])
def test_masks_of_a_layer_of_torch(boolean):
    class Causal(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(64, 4, batch_first=True)

        def forward(self, x):
            mask = torch.ones(16, 16, dtype=torch.bool).triu(1)
            mask = mask if boolean else torch.zeros(16, 16).masked_fill(mask, float("-inf"))
            return self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]

    frame = predict_signal(build(Causal), "lecun_normal", 0.1 * batch(8, 16, 64)).set_index("layer")
    value = frame.loc["attention.in_proj_weight", "forward"]
    share = frame.loc["attention.scaled_dot_product_attention", "forward"] / value
    assert share == pytest.approx(sum(1 / i for i in range(1, 17)) / 16, rel=0.05)
