"""Diagnoses of modules that hold results of a forward pass, which torch does not copy."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from initsk import diagnose, recommend_initializer
from tests.helpers import batch, build, params


class Remembers(nn.Module):
    """Keeps what its last forward pass has computed."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(4, 8), nn.Linear(8, 2)
        self.seen = []

    def forward(self, x):
        self.last = {"inner": self.inner(x)}
        self.seen.append(self.last["inner"].mean())
        return self.head(torch.relu(self.last["inner"]))


def pruned():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    prune.l1_unstructured(net[0], "weight", amount=0.3)
    return net


def normalized():
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 8)), nn.ReLU(), nn.Linear(8, 2))


@pytest.mark.parametrize("factory", params([Remembers, pruned, normalized], slow={normalized, pruned}))
def test_a_module_after_a_forward_pass_is_diagnosed(factory):
    x, y = batch(40, 4), torch.arange(40) % 2
    net, fresh = build(factory), build(factory)
    net(x)
    assert diagnose(net, x, y).score == pytest.approx(diagnose(fresh, x, y).score)
    assert len(recommend_initializer(net, x, y).measured) > 1
