"""Every measurement restores the random states and the attributes that a forward pass changes."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from initsk import inspect_activations, network
from initsk.utils.random import isolated_random
from tests.entry_points import entry_points, values_of
from tests.helpers import Net, batch, build, params


class Draws(nn.Module):
    """Draws from all random states, counts its calls and collects what it has seen."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(4, 8), nn.Linear(8, 2)
        self.n_calls, self.seen, self.last = 0, [], {"output": None}

    def forward(self, x):
        noise = np.random.rand() + random.random() + float(torch.rand(()))  # noqa: NPY002 - the state that must stay
        self.n_calls += 1
        self.seen.append(noise)
        self.last["output"] = self.inner(x) + noise
        return self.head(torch.relu(self.last["output"]))


X, Y = batch(40, 4), torch.arange(40) % 2
MEASURES = entry_points(
    X, Y, "lsuv", "inspect", "gradients in training", "coherence", "diagnose", "recommend by scores",
    "recommend by all scores",
)  # fmt: skip
# Its operations have what the network has drawn as arguments.
MEASURES["read"] = lambda net: str(network.read(net, X))
EACH = params(MEASURES, slow={"recommend by all scores"})


@pytest.mark.parametrize("measure", EACH)
def test_random_states_and_attributes_are_put_back(measure):
    # That no random state moves is checked around every test.
    net = build(Draws)
    MEASURES[measure](net)
    assert (net.n_calls, net.seen, net.last) == (0, [], {"output": None})


@pytest.mark.parametrize("measure", EACH)
def test_measures_with_a_seed_repeat_whatever_the_random_states_are(measure):
    found = []
    for state in (1, 2):
        with isolated_random(state):
            found.append(values_of(MEASURES[measure](build(Draws))))
    assert found[0] == found[1]


def test_batch_normalization_that_was_never_trained_uses_the_batch():
    def forward(self, x):
        return self.last(torch.relu(self.norm(self.first(x))))

    net = build(lambda: Net(forward, first=nn.Linear(4, 8), norm=nn.BatchNorm1d(8), last=nn.Linear(8, 2)))
    x = 100 * batch(60, 4)
    before = {name: values.clone() for name, values in net.state_dict().items()}
    rows = inspect_activations(net, x, layers="norm").to_frame().set_index("position")
    # Normalized by the batch; the running moments of a new layer would leave a size near 100.
    assert rows.loc["pre_activation", "std"] == pytest.approx(1, rel=0.01)
    assert all(torch.equal(values, before[name]) for name, values in net.state_dict().items())
    # One sample has no moments, and trained moments are used.
    assert len(inspect_activations(net, x[:1]).to_frame())
    net.train()(x)
    trained = inspect_activations(net, x, layers="norm").to_frame().set_index("position")
    # After one batch of variance v, the running variance is 0.9 + 0.1 v.
    assert trained.loc["pre_activation", "std"] == pytest.approx(10**0.5, rel=0.02)
