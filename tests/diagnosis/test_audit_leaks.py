"""Outputs that depend on other samples of the batch."""

from functools import partial

import pytest
import torch
from torch import nn

from initsk import audit
from tests.diagnosis.helpers import value_of, why_not
from tests.helpers import Net, batch, build

leak, why = partial(value_of, kind="batch leak"), partial(why_not, check="batch leak")


def layers(**more):
    return {"layer": build(lambda: nn.Linear(8, 6)), **more}


@pytest.mark.parametrize("n_samples", [2, 3, 4, 40])
def test_a_mean_over_the_batch(n_samples):
    network = Net(lambda self, x: self.layer(x - x.mean(0)), **layers())
    result = audit(network, batch(n_samples, 8))
    assert leak(result) > 0.1
    assert result.exit_code == 1
    assert (
        leak(audit(Net(lambda self, x: self.layer(x - x.mean(1, keepdim=True)), **layers()), batch(n_samples, 8)))
        is None
    )


def test_the_size_of_a_leak():
    """Of twelve samples of the values -1 and 1, four run again: the output falls from 12 to 4, and the spread is 12."""
    network = Net(lambda self, x: x * len(x))
    X = torch.tensor([[-1.0], [1.0]]).repeat(6, 1)
    assert leak(audit(network, X)) == pytest.approx(8 / 12)


@pytest.mark.parametrize("n_samples", [2, 3, 4, 40])
def test_samples_that_are_mixed_up(n_samples):
    def view_instead_of_transpose(self, x):
        return self.layer(x.transpose(1, 2)).reshape(-1, len(x), 6).transpose(0, 1)

    network = Net(view_instead_of_transpose, **layers())
    X = batch(n_samples, 8, 5)
    assert leak(audit(network, X)) > 0.1
    right = Net(lambda self, x: self.layer(x.transpose(1, 2)), **layers())
    assert leak(audit(right, X)) is None


@pytest.mark.parametrize("batch_first", [False, True])
def test_recurrent_layers_that_take_the_samples_for_steps(batch_first):
    network = build(lambda: nn.LSTM(8, 6, batch_first=batch_first))
    result = audit(network, batch(12, 5, 8))
    assert (leak(result) is None) is batch_first


def test_attention_over_the_batch():
    network = build(lambda: nn.TransformerEncoderLayer(8, 2, 16))
    assert leak(audit(network, batch(12, 5, 8))) > 0.01
    network = build(lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True))
    assert leak(audit(network, batch(12, 5, 8))) is None


@pytest.mark.parametrize("trained", [False, True])
def test_batch_normalization_and_dropout_do_not_leak_in_evaluation_mode(trained):
    network = build(
        lambda: nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 5))
    )
    if trained:
        with torch.random.fork_rng():
            network(batch(30, 8))
    for n_samples in (2, 3, 4, 40):
        result = audit(network, batch(n_samples, 8))
        assert leak(result) is None
        assert why(result) is None


@pytest.mark.parametrize("n_samples", [3, 40])
def test_a_leak_beside_untrained_batch_normalization(n_samples):
    network = Net(lambda self, x: self.layer(self.norm(x - x.mean(0))), norm=nn.BatchNorm1d(8), **layers())
    assert leak(audit(network, batch(n_samples, 8))) > 0.1


def test_normalization_by_the_batch_in_evaluation_mode():
    network = Net(
        lambda self, x: self.layer(self.norm(x)), norm=nn.BatchNorm1d(8, track_running_stats=False), **layers()
    )
    assert leak(audit(network, batch(40, 8))) > 0.1


class DataDependent(nn.Module):
    """Standardizes by the moments of the first batch, as in Glow (Kingma and Dhariwal 2018)."""

    def __init__(self, flag):
        super().__init__()
        self.scale, self.shift, self.flag = nn.Parameter(torch.ones(8)), nn.Parameter(torch.zeros(8)), flag
        self.register_buffer("done", torch.tensor(False))
        self.is_done = False

    def forward(self, x):
        if not (self.done if self.flag == "buffer" else self.is_done):
            with torch.no_grad():
                self.scale.copy_(1 / x.std(0))
                self.shift.copy_(-x.mean(0) / x.std(0))
                self.done.fill_(True)
            self.is_done = True
        return x * self.scale + self.shift


@pytest.mark.parametrize("flag", ["buffer", "attribute"])
def test_a_state_that_the_first_batch_sets_is_no_leak(flag):
    network = build(lambda: nn.Sequential(DataDependent(flag), nn.Linear(8, 3)))
    result = audit(network, batch(40, 8))
    assert leak(result) is None
    assert "sets a state" in why(result)


@pytest.mark.parametrize("n_samples", [3, 12, 40])
def test_a_leak_of_a_network_that_changes_its_state(n_samples):
    def counting(self, x):
        self.count += 1
        return self.layer(x - x.mean(0))

    network = Net(counting, **layers())
    network.register_buffer("count", torch.zeros(()))
    assert leak(audit(network, batch(n_samples, 8))) > 0.1


def test_the_largest_and_the_smallest_sample_may_leak():
    """Wherever the extreme sample is, it is not among those that run again."""
    for place in range(12):
        X = batch(12, 8)
        X[place] *= 20
        assert leak(audit(Net(lambda self, x: self.layer(x / x.abs().max()), **layers()), X)) > 0.1
        X[place] /= 4000
        smallest = Net(lambda self, x: self.layer(x) / x.abs().amax(1).min(), **layers())
        assert leak(audit(smallest, X)) > 0.1


def test_a_capacity_for_the_first_samples_of_a_batch():
    network = Net(lambda self, x: self.layer(x) * (torch.arange(len(x)) < 4)[:, None], **layers())
    assert leak(audit(network, batch(12, 8))) > 0.1


def test_a_generator_of_the_network_is_told_from_a_leak():
    def noisy(self, x):
        return self.layer(x) + torch.randn(len(x), 6, generator=self.generator)

    network = Net(noisy, **layers())
    network.generator = torch.Generator().manual_seed(3)
    result = audit(network, batch(40, 8))
    assert leak(result) is None
    assert "random numbers" in why(result)


def test_random_numbers_are_told_from_leaks():
    def noisy(self, x):
        return self.layer(x + torch.randn_like(x))

    result = audit(Net(noisy, **layers()), batch(40, 8))
    assert leak(result) is None
    assert "random numbers" in why(result)
    always = Net(lambda self, x: nn.functional.dropout(self.layer(x), 0.5), **layers())
    assert "random numbers" in why(audit(always, batch(40, 8)))


def test_networks_with_state_begin_each_pass_anew():
    def counting(self, x):
        self.count += 1
        return self.layer(x) * self.count

    network = Net(counting, **layers())
    network.register_buffer("count", torch.zeros(()))
    result = audit(network, batch(40, 8))
    assert leak(result) is None
    assert float(network.count) == 0


def test_outputs_that_compare_samples():
    network = Net(lambda self, x: self.layer(x) @ self.layer(x).T, **layers())
    for n_samples in (2, 12):
        result = audit(network, batch(n_samples, 8))
        assert leak(result) is None
        assert why(result) is not None


def test_reasons_not_to_check():
    network = Net(lambda self, x: self.layer(x), **layers())
    assert "one sample" in why(audit(network, batch(1, 8)))
    assert "no samples are given" in why(audit(network))
    assert "half precision" in why(audit(build(lambda: nn.Linear(8, 3)).bfloat16(), batch(40, 8)))
    assert "same for all samples" in why(audit(Net(lambda self, x: 0 * self.layer(x), **layers()), batch(40, 8)))
    with_infinity = batch(40, 8)
    with_infinity[5, 0] = torch.inf
    assert "not finite" in why(audit(network, with_infinity))
    pooled = Net(lambda self, x: self.layer(x).mean(0), **layers())
    assert "same samples" in why(audit(pooled, batch(40, 8)))
    packed = nn.utils.rnn.pack_sequence([batch(5, 8), batch(3, 8)])
    assert "no rows" in why(audit(build(lambda: nn.GRU(8, 4)), packed))

    def picky(self, x):
        if len(x) not in (2, 40):
            raise RuntimeError("only forty")
        return self.layer(x)

    assert "RuntimeError: only forty" in why(audit(Net(picky, **layers()), batch(40, 8)))


def test_edges_of_a_graph_are_no_samples():
    def convolve(self, x, edges):
        return self.layer(x).index_add(0, edges[1], self.layer(x)[edges[0]])

    edges = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
    result = audit(Net(convolve, **layers()), (batch(10, 8), edges))
    assert leak(result) is None
    assert "graph" in why(result)
