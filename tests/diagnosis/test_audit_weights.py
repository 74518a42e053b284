"""Copies of layers, and weights that no initializer has set."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from initsk import audit, initialize
from initsk.initializers import ICNR, PerParameter
from tests.helpers import Net, batch, build


def kinds(result, kind):
    """Return the layers with a kind of finding, and whether each is a fault."""
    found = result.findings()
    return {row.layer: row.decides for row in found[found["kind"] == kind].itertuples()}


def encoder(n_layers=6):
    return build(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), n_layers))


def mlp(n_layers=3):
    def make():
        hidden = [part for _ in range(n_layers) for part in (nn.Linear(8, 8), nn.ReLU())]
        return nn.Sequential(*hidden, nn.Linear(8, 3))

    return build(make)


def test_the_layers_of_torchs_encoder_are_copies_in_one_finding():
    for X in (None, batch(4, 5, 8)):
        found = audit(encoder(), X).findings()
        found = found[found["kind"] == "cloned"]
        assert found[["layer", "value", "decides", "of"]].to_numpy().tolist() == [["layers.0-5", 6.0, True, "weights"]]


def test_drawn_layers_are_no_copies():
    network = encoder()
    initialize(network, "glorot_uniform", random_state=0)
    assert kinds(audit(network), "cloned") == {}
    # torch draws the layers of its full transformer again.
    full = build(lambda: nn.Transformer(8, 2, 2, 2, 16, batch_first=True))
    assert kinds(audit(full, (batch(4, 5, 8), batch(4, 5, 8))), "cloned") == {}


def test_copies_that_do_not_follow_one_another_are_listed():
    network = mlp(4)
    network[4] = copy.deepcopy(network[0])
    assert kinds(audit(network, batch(4, 8)), "cloned") == {"0, 4": True}


def test_blocks_that_share_one_matrix_only_are_no_whole_copies():
    blocks = build(lambda: nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)) for _ in "ab"]))
    blocks[1][0].load_state_dict(blocks[0][0].state_dict())
    assert kinds(audit(blocks, batch(4, 8)), "cloned") == {"0.0, 1.0": True}
    blocks[1][2].load_state_dict(blocks[0][2].state_dict())
    assert kinds(audit(blocks, batch(4, 8)), "cloned") == {"0-1": True}


def test_tied_weights_are_no_copies():
    network = mlp()
    network[4].weight = network[2].weight
    assert kinds(audit(network, batch(4, 8)), "cloned") == {}
    shared = build(lambda: nn.Linear(8, 8))
    assert kinds(audit(nn.Sequential(shared, nn.Tanh(), shared), batch(4, 8)), "cloned") == {}


def test_frozen_and_unused_copies_are_kept_on_purpose():
    online = mlp()
    target = copy.deepcopy(online)
    both = Net(lambda self, x: self.online(x) - self.target(x), online=online, target=target.requires_grad_(False))
    assert kinds(audit(both, batch(4, 8)), "cloned") == {}
    unused = Net(lambda self, x: self.online(x), online=online, target=copy.deepcopy(online))
    assert kinds(audit(unused, batch(4, 8)), "cloned") == {}
    used = Net(lambda self, x: self.online(x) - self.target(x), online=online, target=copy.deepcopy(online))
    assert kinds(audit(used, batch(4, 8)), "cloned") == {"online, target": True}


class Experts(nn.Module):
    """Mixes matrices that are stacked in one parameter."""

    def __init__(self, equal):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.stacked = nn.Parameter(batch(1 if equal else 4, 6, 8).repeat(4 if equal else 1, 1, 1) / 8**0.5)

    def forward(self, x):
        return torch.einsum("bi,eoi->beo", self.first(x), self.stacked).mean(1)


def units(equal):
    net = build(lambda: nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)))
    if equal:
        with torch.no_grad():
            net[0].weight[:] = net[0].weight[:1]
    return net


@pytest.mark.parametrize(("factory", "layer", "number"), [(Experts, "stacked", 4), (units, "0", 6)])
def test_copies_inside_one_weight(factory, layer, number):
    result = audit(build(lambda: factory(True)), batch(12, 8))
    found = result.findings()
    assert found[["layer", "kind", "value", "of"]].values.tolist() == [[layer, "cloned", number, "parts"]]
    assert f"The {number} matrices or units of" in str(result)
    assert audit(build(lambda: factory(False)), batch(12, 8)).findings().empty


def test_kernels_of_a_rearrangement_to_pixels_begin_equal():
    net = build(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.PixelShuffle(2)))
    initialize(net, PerParameter([("up", ICNR(2), "0.weight")]))
    assert torch.equal(net[0].weight[0], net[0].weight[3])
    assert audit(net, batch(12, 3, 8, 8)).findings().empty


@pytest.mark.parametrize("fill", [nn.init.eye_, nn.init.ones_, nn.init.zeros_], ids=["eye", "ones", "zeros"])
def test_equal_constants_are_no_copies(fill):
    network = mlp()
    for layer in (network[2], network[4]):
        fill(layer.weight)
    assert kinds(audit(network, batch(4, 8)), "cloned") == {}


def garbage(bits):
    """Return floats with the given bits, as memory that held other things."""
    return torch.tensor(bits, dtype=torch.int32).view(torch.float32)


POINTERS = [0x7F3A, 0x5C20, 0x7F3B, 0x0001]  # subnormal
TEXT = [0x64636261, 0x00000000, 0x68676665, 0x6C6B6A69]  # "abcd" and so on: beyond 1e22
NAN = [0x7FC00000, 0x00000000, 0x00000000, 0x00000000]


@pytest.mark.parametrize("bits", [POINTERS, TEXT, NAN], ids=["pointers", "text", "nan"])
def test_memory_that_was_never_filled(bits):
    network = mlp()
    with torch.no_grad():
        for values in (network[2].weight[0], network[4].bias):
            values.zero_()
            values[:4] = garbage(bits)
        network[2].weight[1:] = 0
    found = audit(network).findings()
    found = found[(found["kind"] == "uninitialized") & (found["of"] == "memory")]
    assert found["layer"].tolist() == ["2", "4.bias"]
    assert found["decides"].all()
    assert (found["value"].iloc[0], found["threshold"].iloc[0]) == (1.0, 0.0)


def drawn(n_out=20, n_in=8):
    return build(lambda: nn.Linear(n_in, n_out)).weight.detach().clone()


def replaced(share, value, values=None):
    """Return weights of which a share at the end was never set."""
    values = (drawn(100) if values is None else values).flatten()
    values[round(len(values) * (1 - share)) :] = value
    return values.reshape(-1, 8)


GARBAGE = {
    "half": (replaced(0.5, 4e-41), 0.5),
    "one percent": (replaced(0.01, 4e-41), 0.01),
    "addresses and others": (
        torch.tensor([-4.86e-03, 4.56e-41, 6.19e06, 3.08e-41, 0.0]).repeat(32).reshape(20, 8),
        0.75,
    ),
    "every second": (torch.stack([drawn(), torch.full((20, 8), 3e-41)], 2).reshape(20, 16)[:, :8], 0.5),
    "integers": (replaced(0.1, garbage([7])), 0.1),
    "outliers": (replaced(0.02, 1e4), 0.02),
    "small weights and outliers": (replaced(0.02, 50.0, 1e-3 * drawn(100)), 0.02),
    "not a number": (replaced(0.01, torch.nan), 0.01),
}


class Own(nn.Module):
    """Multiplies by a parameter of its own."""

    def __init__(self, values):
        super().__init__()
        self.values = nn.Parameter(values)

    def forward(self, x):
        return x @ self.values.T


@pytest.mark.parametrize("name", GARBAGE)
def test_memory_of_which_only_a_part_shows(name):
    values, share = GARBAGE[name]
    found = audit(Own(values)).findings()
    assert found[["layer", "kind", "of", "decides"]].values.tolist() == [["values", "uninitialized", "memory", True]]
    assert found["value"].iloc[0] == pytest.approx(share)


WEIGHTS = {
    "one subnormal": replaced(1 / 800, 4e-41),
    "identity beside noise": torch.eye(8) + 1e-6 * drawn(8),
    "gates of two sizes": torch.cat([1e-6 * drawn(8), torch.full((8, 8), 5.0)]),
    "all large": 1e3 * drawn(),
    "few of different sizes": torch.tensor([[1e-3, 2e-3, 100.0]]),
    "rare": nn.init.sparse_(torch.empty(100, 8), 0.9),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_of_unusual_sizes_are_weights(name):
    assert "memory" not in audit(Own(WEIGHTS[name])).findings()["of"].tolist()


def test_weights_that_decay_has_made_subnormal_are_weights():
    network = mlp()
    with torch.no_grad():
        network[2].weight[:2] = 1e-39
    assert kinds(audit(network), "uninitialized") == {}


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_constant_in_the_only_way_to_the_output_was_not_meant(value):
    network = mlp()
    nn.init.constant_(network[2].weight, value)
    assert kinds(audit(network, batch(4, 8)), "uninitialized") == {"2": True}
    # The reading finds an input on its own.
    assert kinds(audit(network), "uninitialized") == {"2": True}


def test_in_a_network_of_zeros_the_output_layer_was_not_meant_either():
    network = mlp()
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    assert list(kinds(audit(network, batch(4, 8)), "uninitialized")) == ["0", "2", "4", "6"]
    # A linear model may begin at zero.
    linear = build(lambda: nn.Linear(8, 3))
    nn.init.zeros_(linear.weight)
    assert kinds(audit(linear, batch(4, 8)), "uninitialized") == {}


def block(x_to_branch, **layers):
    """Return a network with one residual branch between two layers."""

    def forward(self, x):
        x = self.enter(x)
        return self.head(x + x_to_branch(self, x))

    return build(
        lambda: Net(forward, enter=nn.Linear(8, 8), head=nn.Linear(8, 3), **{k: v() for k, v in layers.items()})
    )


def square():
    return nn.Linear(8, 8)


def plain(self, x):
    return self.second(torch.relu(self.first(x)))


def low_rank(self, x):
    return self.base(x) + self.second(self.first(x))


def modulated(self, x):
    scale, shift = self.second(functional.silu(self.first(x))).chunk(2, -1)
    return self.base(x) * (1 + scale) + shift


def gated(self, x):
    return self.base(x) * torch.sigmoid(self.second(torch.relu(self.first(x))))


def attention(self, x):
    weights = (self.second(x)[:, :, None] * self.first(x)[:, None]).softmax(-1)
    return self.last((weights @ self.base(x)[:, :, None]).squeeze(-1))


DELIBERATE = {
    "end of a branch": (plain, {"first": square, "second": square}),
    "LoRA": (low_rank, {"base": square, "first": lambda: nn.Linear(8, 2), "second": lambda: nn.Linear(2, 8)}),
    "adaLN-zero": (modulated, {"base": square, "first": square, "second": lambda: nn.Linear(8, 16)}),
    "gate": (gated, {"base": square, "first": square, "second": square}),
    "queries": (attention, {"base": square, "first": square, "second": square, "last": square}),
}


@pytest.mark.parametrize("name", DELIBERATE)
def test_deliberate_zeros_are_no_fault(name):
    forward, layers = DELIBERATE[name]
    network = block(forward, **layers)
    nn.init.zeros_(network.second.weight)
    nn.init.zeros_(network.second.bias)
    result = audit(network, batch(4, 8))
    assert kinds(result, "uninitialized") == {}
    assert result.exit_code == 0


def test_zeros_at_the_output_are_no_fault():
    network = mlp()
    nn.init.zeros_(network[-1].weight)
    result = audit(network, batch(4, 8))
    assert kinds(result, "uninitialized") == {}
    assert kinds(result, "constant output") == {"": False}
    assert result.exit_code == 0


def test_zeros_at_the_beginning_of_a_branch_close_it():
    network = block(plain, first=square, second=square)
    nn.init.zeros_(network.first.weight)
    assert kinds(audit(network, batch(4, 8)), "uninitialized") == {"first": True}


def test_a_kernel_that_averages_is_a_weight():
    network = build(lambda: nn.Sequential(nn.Conv2d(3, 3, 3, groups=3, padding=1), nn.Conv2d(3, 4, 3)))
    nn.init.constant_(network[0].weight, 1 / 9)
    assert kinds(audit(network, batch(2, 3, 8, 8)), "uninitialized") == {}


def test_constants_are_not_judged_in_a_network_that_cannot_be_read():
    network = build(lambda: Net(None, layer=nn.Linear(8, 3)))
    nn.init.zeros_(network.layer.weight)
    result = audit(network)
    assert kinds(result, "uninitialized") == {}
    assert "uninitialized" in result.not_checked["check"].tolist()
