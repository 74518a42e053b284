"""`initialize` on modules without values: on the meta device."""

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.initializers import PerParameter
from tests.helpers import build


class Rotary(nn.Module):
    """A module whose buffer only its ``reset_parameters`` knows; it also keeps the tensor as an attribute."""

    def __init__(self):
        super().__init__()
        self.register_buffer("inv_freq", torch.empty(4), persistent=False)
        self.original = self.inv_freq
        self.reset_parameters()

    def reset_parameters(self):
        self.inv_freq.copy_(10.0 ** -torch.arange(4))


class Norm(nn.Module):
    """A normalization of a user without ``reset_parameters``; the network around it defines its weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.rotary = Rotary()
        self.norm, self.rms, self.batch = Norm(), nn.RMSNorm(8), nn.BatchNorm1d(8)
        self.act = nn.PReLU()
        self.rnn = nn.LSTM(8, 8)
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.head = nn.Linear(8, 10, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("position_ids", torch.arange(6).expand(1, -1))

    def init_weights(self):
        with torch.no_grad():
            self.norm.weight.fill_(1)


def on_meta(factory):
    with torch.device("meta"):
        return factory()


@pytest.mark.parametrize("initializer", ["he_normal", "auto"])
def test_all_tensors_get_values(initializer):
    module, expected = on_meta(Network), build(Network)
    found = initialize(module, initializer, device="cpu", random_state=0).to_frame()
    record = initialize(expected, initializer, random_state=0).to_frame()
    assert found.drop(columns=["std_before", "std_after"]).equals(record.drop(columns=["std_before", "std_after"]))
    assert found["std_before"].isna().equals(found["touched"])
    values = dict(module.named_parameters()) | dict(module.named_buffers())
    for name, tensor in [*expected.named_parameters(), *expected.named_buffers()]:
        assert values[name].device.type == "cpu"
        if not name.startswith("frozen"):
            assert torch.equal(values[name], tensor), name
    # torch's default range of a frozen layer, which no initializer fills.
    assert 0 < float(module.frozen.weight.abs().max()) <= 8**-0.5
    assert not module.frozen.weight.requires_grad
    assert module.head.weight is module.embed.weight
    assert module.rotary.original is module.rotary.inv_freq
    assert "rotary.inv_freq" not in module.state_dict()


def test_the_seed_determines_all_values():
    first, second = (on_meta(Network) for _ in range(2))
    for module in (first, second):
        initialize(module, device="cpu", random_state=4)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def unknown():
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), Norm())
    module.register_buffer("table", torch.zeros(3))
    module.register_buffer("count", torch.zeros((), dtype=torch.int64))
    return module


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"device": "cpu"}, r"without known values: .*count, 2\.weight \(.*reset_parameters\(\) of Sequential, Norm"),
        ({}, r"on the meta device have no values: .*0\.weight.*allowed: device="),
        ({"device": "meta"}, r"device='meta' is not allowed"),
        ({"device": "nowhere"}, r"device='nowhere' is not allowed"),
        ({"device": "cpu", "initializer": "identity", "output_initializer": "nothing"}, "nothing"),
    ],
)
def test_an_error_leaves_the_module_on_the_meta_device(arguments, words):
    module = on_meta(unknown)
    before = [*module.parameters(), *module.buffers()]
    with pytest.raises(ValueError, match=words):
        initialize(module, **arguments)
    assert all(a is b for a, b in zip(before, [*module.parameters(), *module.buffers()], strict=True))
    assert all(tensor.is_meta for tensor in before)


def test_an_initializer_may_fill_what_no_layer_defines():
    module = on_meta(lambda: nn.Sequential(nn.Linear(3, 8), Norm()))
    initialize(module, PerParameter([("norm", "ones", Norm)], remainder="he_normal"), device="cpu")
    assert bool((module[1].weight == 1).all())


def test_tensors_with_values_stay():
    module = build(lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))
    module.append(on_meta(lambda: nn.Linear(3, 2)))
    module[1].running_mean.fill_(4)
    before = module[0].weight
    initialize(module, device="cpu")
    assert module[0].weight is before
    assert module[1].running_mean.tolist() == [4] * 3


def test_calibration_after_values_are_made():
    module = on_meta(lambda: nn.Sequential(nn.Linear(3, 50), nn.BatchNorm1d(50), nn.ReLU(), nn.Linear(50, 40)))
    X = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    initialize(module, "lsuv", X=X, device="cpu")
    with torch.no_grad():
        assert float(module(X).std(correction=0)) == pytest.approx(1, abs=0.05)
