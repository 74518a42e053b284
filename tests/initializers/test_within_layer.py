"""WithinLayer."""

import math

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.initializers import (
    WithinLayer,
)
from tests.helpers import batch, build
from tests.initializers.support import NETWORKS, outputs


@pytest.mark.parametrize("network", ["Conv1d", "Conv2d", "circular", "grouped"])
def test_principal_components_are_uncorrelated(network):
    factory, shape = NETWORKS[network]
    module, X = build(factory), batch(*shape).cumsum(-1)
    initialize(module, WithinLayer(), X=X, random_state=0)
    ((output,),) = outputs(module, X).values()
    groups = getattr(module, "groups", 1)
    for part in output.transpose(0, 1).flatten(1).chunk(groups):
        # WithinLayer used all patches, so the covariance is the identity up to rounding.
        torch.testing.assert_close(part.cov(correction=0), torch.eye(len(part)).double(), rtol=0, atol=1e-4)


def test_more_units_than_components():
    X = batch(100, 3) @ batch(3, 10, seed=1)
    for method in ("pca", "kmeans"):
        module = build(lambda: nn.Linear(10, 25))
        initialize(module, WithinLayer(method), X=X, random_state=0)
        output = module(X).detach()
        torch.testing.assert_close(output.std(0, correction=0), torch.ones(25), rtol=0, atol=1e-4)
        assert int(torch.linalg.matrix_rank(module.weight.detach(), rtol=1e-4)) == 3
        distance = torch.cdist(module.weight.detach(), module.weight.detach()).fill_diagonal_(1.0)
        assert float(distance.min()) > 1e-3


def test_cluster_centers_point_at_the_clusters():
    corners = 5 * torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    labels = torch.arange(200) % 4
    X = corners[labels] + 0.1 * batch(200, 2)
    module = build(lambda: nn.Linear(2, 4))
    for seed in range(5):
        initialize(module, WithinLayer("kmeans"), X=X, random_state=seed)
        strongest = module(X).detach().argmax(dim=1)
        units = [set(strongest[labels == label].tolist()) for label in range(4)]
        assert sorted(map(len, units)) == [1] * 4
        assert set.union(*units) == {0, 1, 2, 3}


def test_a_sample_of_many_patches_is_enough():
    scales = torch.tensor([1.0, 2.0, 4.0, 8.0])
    module = build(lambda: nn.Linear(4, 2))
    initialize(module, WithinLayer(), X=batch(30_000, 4) * scales, random_state=0)
    assert module.weight.detach().abs().argmax(dim=1).tolist() == [3, 2]


def test_patches_are_chosen_at_random():
    X = torch.cat([batch(10_000, 2) * torch.tensor([5.0, 1.0]), batch(40_000, 2) * torch.tensor([1.0, 50.0])])
    m = build(lambda: nn.Linear(2, 1))
    initialize(m, WithinLayer(), X=X, random_state=0)
    assert m.weight.abs().argmax().item() == 1


def test_small_components_are_kept():
    # A component of relative variance 1e-4 counts.
    X = batch(2000, 2) * torch.tensor([100.0, 1.0])
    m = build(lambda: nn.Linear(2, 2))
    initialize(m, WithinLayer(), X=X, random_state=0)
    torch.testing.assert_close(m(X).detach().T.cov(correction=0), torch.eye(2), rtol=0, atol=1e-3)


def test_signs_of_components():
    m = build(lambda: nn.Linear(8, 5))
    initialize(m, WithinLayer(), X=batch(300, 8) * torch.arange(1, 9), random_state=0)
    w = m.weight.detach()
    assert bool((w.gather(1, w.abs().argmax(1, keepdim=True)) > 0).all())


def test_clusters_of_whitened_patches():
    # The patches are whitened, so clusters that differ in a direction of small variance are found.
    corners = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    labels = torch.arange(200) % 4
    X = (corners[labels] + 0.02 * batch(200, 2)) * torch.tensor([1.0, 300.0])
    m = build(lambda: nn.Linear(2, 4))
    initialize(m, WithinLayer("kmeans"), X=X, random_state=0)
    strongest = m(X).detach().argmax(1)
    assert [len(set(strongest[labels == k].tolist())) for k in range(4)] == [1] * 4
    assert len(set(strongest.tolist())) == 4


def test_k_means_converges():
    # After ten passes of k-means, each unit points at the mean direction of its nearest patches.
    angle = torch.arange(600) % 3 * 2.0944 + 0.25 * batch(600)
    X = torch.stack([angle.cos(), angle.sin()], 1)
    m = build(lambda: nn.Linear(2, 3))
    initialize(m, WithinLayer("kmeans"), X=X, random_state=0)
    near = m(X).detach().argmax(1)
    found = torch.atan2(m.weight[:, 1], m.weight[:, 0]).detach()
    for unit in range(3):
        mean = X[near == unit].mean(0)
        want = torch.atan2(mean[1], mean[0])
        assert abs(math.remainder(float(found[unit] - want), 2 * math.pi)) < 0.03


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("size", [2, 4])
def test_patches_under_same_padding(size):
    m, X = build(lambda: nn.Conv1d(2, 4, size, padding="same")), batch(30, 2, 6).cumsum(-1)
    initialize(m, WithinLayer(), X=X, random_state=0)
    torch.testing.assert_close(
        m(X).detach().transpose(0, 1).flatten(1).cov(correction=0), torch.eye(4), rtol=0, atol=1e-4
    )


def test_each_layer_has_its_own_stream():
    # A layer with another name draws other values.
    X = batch(60, 3)
    ws = []
    for name in "ab":
        m = build(lambda name=name: nn.ModuleDict({name: nn.Linear(3, 12)}))
        m.forward = lambda x, m=m, name=name: m[name](x)
        initialize(m, WithinLayer(), X=X, random_state=0)
        ws.append(m[name].weight.detach().clone())
    assert torch.equal(ws[0][:3], ws[1][:3])
    assert not torch.allclose(ws[0][3:], ws[1][3:])
