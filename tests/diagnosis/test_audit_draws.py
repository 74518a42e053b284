"""Fans of packed projections, and truncations that cut nothing."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from initsk import MLPClassifier, audit, get_initializer, initialize
from initsk.diagnosis import truncation_of
from initsk.initializers import TruncatedNormal
from initsk.report import describe_findings
from tests.helpers import Net, batch, build, params

WIDTH = 32


def packed(network, X):
    found = audit(network, X).findings()
    found = found[found["kind"] == "packed"]
    return [(row.layer, round(row.value, 2), row.decides) for row in found.itertuples()]


def attend(self, x):
    q, k, v = self.qkv(x).chunk(3, dim=-1)
    return self.out(functional.scaled_dot_product_attention(q, k, v))


def fused():
    return build(lambda: Net(attend, qkv=nn.Linear(WIDTH, 3 * WIDTH), out=nn.Linear(WIDTH, WIDTH)))


SEQUENCES = batch(4, 5, WIDTH)
FACTOR = 2**0.5  # (d + d) and (d + 3 d) in the denominator of Glorot's variance


def draw(function, *tensors, **arguments):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for tensor in tensors:
            function(tensor, **arguments)


@pytest.mark.parametrize("function", [nn.init.xavier_uniform_, nn.init.xavier_normal_])
def test_glorots_rule_over_a_fused_projection(function):
    network = fused()
    draw(function, network.qkv.weight)
    assert packed(network, SEQUENCES) == [("qkv", round(FACTOR, 2), True)]
    draw(function, *network.qkv.weight.chunk(3))
    assert packed(network, SEQUENCES) == []


def test_hes_rule_for_the_backward_pass_over_a_fused_projection():
    network = fused()
    draw(nn.init.kaiming_normal_, network.qkv.weight, mode="fan_out")
    assert packed(network, SEQUENCES) == [("qkv", round(3**0.5, 2), True)]
    draw(nn.init.kaiming_normal_, network.qkv.weight, mode="fan_in")
    assert packed(network, SEQUENCES) == []


def test_torchs_attention_is_noted():
    attention = build(lambda: nn.TransformerEncoderLayer(WIDTH, 2, 64, batch_first=True))
    assert packed(attention, SEQUENCES) == [("self_attn.in_proj_weight", round(FACTOR, 2), False)]
    assert audit(attention, SEQUENCES).exit_code == 0
    initialize(attention, "glorot_uniform", random_state=0)
    assert packed(attention, SEQUENCES) == []


def recurrent(kind):
    def make():
        return Net(lambda self, x: self.rnn(x)[0], rnn=kind(WIDTH, WIDTH, batch_first=True))

    return build(make)


@pytest.mark.parametrize(("kind", "gates"), [(nn.GRU, 3), (nn.LSTM, 4)])
def test_glorots_rule_over_all_gates(kind, gates):
    network = recurrent(kind)
    assert packed(network, SEQUENCES) == []
    draw(nn.init.xavier_uniform_, network.rnn.weight_ih_l0)
    factor = ((1 + gates) / 2) ** 0.5
    assert packed(network, SEQUENCES) == [("rnn.weight_ih_l0", round(factor, 2), True)]
    assert packed(build(lambda: nn.RNN(WIDTH, WIDTH, batch_first=True)), SEQUENCES) == []


def test_fans_of_stacked_experts():
    """torch takes (experts, in, out) as a convolution with kernels of ``out`` positions."""

    def mix(self, x):
        return torch.bmm(x.expand(4, *x.shape), self.up).mean(0)

    network = Net(mix)
    network.up = nn.Parameter(torch.empty(4, WIDTH, 64))
    draw(nn.init.xavier_uniform_, network.up)
    [(layer, factor, decides)] = packed(network, batch(4, WIDTH))
    whole, each = 2 / (WIDTH * 64 + 4 * 64), 2 / (WIDTH + 64)
    assert (layer, factor, decides) == ("up", round((each / whole) ** 0.5, 2), True)
    draw(nn.init.xavier_uniform_, *network.up)
    assert packed(network, batch(4, WIDTH)) == []


@pytest.mark.parametrize("seed", params(range(20), slow=range(5, 20)))
@pytest.mark.parametrize("initializer", ["glorot_uniform", "glorot_normal", "he_normal", "torch.xavier_uniform_"])
def test_right_fans_and_torchs_defaults_are_no_findings(initializer, seed):
    """A variance is taken for that of a wrong rule in 5 of 10,000 draws, if it is a variance near it at all."""
    network = fused()
    right = initializer != "torch.xavier_uniform_"
    initialize(network, initializer, random_state=seed)
    assert bool(packed(network, SEQUENCES)) is not right


def test_six_parts_of_torchs_default_are_not_hes_rule_for_the_whole():
    """1 / (3 d) is both torch's default for d inputs, and He's backward rule for 6 d outputs."""

    def modulate(self, x):
        parts = self.modulation(x).chunk(6, dim=-1)
        return self.out(sum(parts))

    network = build(lambda: Net(modulate, modulation=nn.Linear(WIDTH, 6 * WIDTH), out=nn.Linear(WIDTH, 3)))
    assert packed(network, batch(4, WIDTH)) == []


@pytest.mark.parametrize("std", [0.02, 0.1])
def test_a_round_standard_deviation_was_chosen(std):
    network = fused()
    draw(nn.init.normal_, network.qkv.weight, std=std)
    assert packed(network, SEQUENCES) == []


def untruncated(model, X=None):
    found = audit(model, X).findings()
    return found[found["kind"] == "untruncated"]


def test_weights_on_torchs_bounds_far_from_all_others():
    layer = build(lambda: nn.Linear(100, 100))
    draw(nn.init.normal_, layer.weight, std=0.02)
    assert untruncated(layer).empty
    with torch.no_grad():
        layer.weight[3, 4] = -2.0
    found = untruncated(layer).iloc[0]
    # 2 / 0.02 standard deviations; that of 10,000 weights has an error of 0.7 %.
    assert found["value"] == pytest.approx(100, rel=0.04)
    assert (found["layer"], found["of"], found["decides"]) == ("weight", "weights", True)


def test_other_large_weights_are_not_bounds():
    layer = build(lambda: nn.Linear(100, 100))
    draw(nn.init.normal_, layer.weight, std=0.02)
    with torch.no_grad():
        layer.weight[3, 4] = -2.5
    assert untruncated(layer).empty
    # Heavy tails, as of trained weights in half precision, happen to have the value 2.
    with torch.no_grad():
        layer.weight[3] = torch.linspace(0, 2, 100)
    assert untruncated(layer).empty
    draw(nn.init.trunc_normal_, layer.weight)
    assert untruncated(layer).empty


TORCH = nn.init.trunc_normal_


@pytest.mark.parametrize(
    ("initializer", "bounds"),
    [
        (TruncatedNormal(0.02), 2.0),
        (TruncatedNormal(0.02, bounds=8.0), 8.0),
        ("truncated_normal", 2.0),
        (TORCH, 2.0),
        (partial(TORCH, std=0.02), 100.0),
        (partial(TORCH, std=0.02, a=-0.04, b=0.04), 2.0),
        (partial(TORCH, mean=1.0, std=0.5, a=0.0, b=4.0), 2.0),
        (partial(TORCH, std=0.0), None),
        (nn.init.ones_, None),
        ("he_normal", None),
    ],
    ids=range(10),
)
def test_bounds_of_an_initializer(initializer, bounds):
    assert truncation_of(initializer) == bounds


def test_the_initializer_of_an_estimator_is_noted():
    X, y = batch(30, 8).numpy(), [0, 1, 2] * 10
    clf = MLPClassifier((16,), initializer=partial(TORCH, std=0.02), max_epochs=1, random_state=0).fit(X, y)
    found = untruncated(clf, X)
    assert found[["value", "of", "decides"]].to_numpy().tolist() == [[100.0, "initializer", False]]
    assert "std=0.02" in found["relative_to"].iloc[0]
    result = audit(clf, X)
    assert "100 standard deviations" in describe_findings(result)["evidence"].iloc[0]
    clf.set_params(initializer=get_initializer("truncated_normal")).fit(X, y)
    assert untruncated(clf, X).empty
