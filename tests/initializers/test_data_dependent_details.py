"""The schemes that look at a batch, at their edges."""

import copy
import math

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initializers import LSUV, DataDependentWeightNorm, MimeticAttention, Ones, PerParameter, WithinLayer
from initsk.network import MLP, ParameterSpec
from tests.helpers import batch, build, record


def test_calibrated_layers_promise_nothing():
    for s in (LSUV(), DataDependentWeightNorm(), WithinLayer()):
        assert s.expected_moments(ParameterSpec.from_shape((4, 3))) is None


def test_fused_attention_is_as_before():
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        initialize(build(lambda: nn.Linear(3, 3)), "lsuv", X=batch(20, 3))
        assert not torch.backends.mha.get_fastpath_enabled()
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_a_bias_that_was_drawn_counts():
    X = batch(80, 6) + 2
    m = build(lambda: nn.Linear(6, 4))
    initialize(m, DataDependentWeightNorm("torch_default"), X=X, random_state=0)
    assert float(m(X).detach().mean(0).abs().max()) < 1e-5


def test_lsuv_subtracts_the_mean():
    X = batch(80, 6) + 2
    m = build(lambda: nn.Linear(6, 40))
    initialize(m, LSUV("torch_default", remove_mean=True), X=X, random_state=0)
    assert abs(float(m(X).detach().mean())) < 1e-5


def test_rounding_is_no_variation():
    # rows that are equal but for rounding
    X = 1 + 1e-7 * batch(333, 4).sign()
    for s in (LSUV(Ones()), DataDependentWeightNorm(Ones())):
        with pytest.raises(ModuleError, match="constant"):
            initialize(build(lambda: nn.Linear(4, 3)), s, X=X, random_state=0)


def test_half_precision_is_measured_in_float32():
    X = batch(5000, 64).bfloat16()
    m = build(lambda: nn.Linear(64, 64, dtype=torch.bfloat16))
    initialize(m, DataDependentWeightNorm(), X=X, random_state=0)
    std = m(X).detach().float().std(0, correction=0)
    assert float((std - 1).abs().max()) < 0.01


def test_patches_are_chosen_at_random():
    X = torch.cat([batch(10_000, 2) * torch.tensor([5.0, 1.0]), batch(40_000, 2) * torch.tensor([1.0, 50.0])])
    m = build(lambda: nn.Linear(2, 1))
    initialize(m, WithinLayer(), X=X, random_state=0)
    assert m.weight.abs().argmax().item() == 1


def test_small_components_are_left_out():
    # a component of relative variance 1e-4 is one
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
    # Clusters that differ in a direction of small variance are told apart: directions are those of whitened patches.
    corners = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    labels = torch.arange(200) % 4
    X = (corners[labels] + 0.02 * batch(200, 2)) * torch.tensor([1.0, 300.0])
    m = build(lambda: nn.Linear(2, 4))
    initialize(m, WithinLayer("kmeans"), X=X, random_state=0)
    strongest = m(X).detach().argmax(1)
    assert [len(set(strongest[labels == k].tolist())) for k in range(4)] == [1] * 4
    assert len(set(strongest.tolist())) == 4


def test_k_means_converges():
    # After ten passes of k-means each unit points at the mean direction of the patches that are nearest to it.
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


def test_streams_of_layers():
    # Streams belong to names: what another layer draws is another draw.
    X = batch(60, 3)
    ws = []
    for name in "ab":
        m = build(lambda name=name: nn.ModuleDict({name: nn.Linear(3, 12)}))
        m.forward = lambda x, m=m, name=name: m[name](x)
        initialize(m, WithinLayer(), X=X, random_state=0)
        ws.append(m[name].weight.detach().clone())
    assert torch.equal(ws[0][:3], ws[1][:3])
    assert not torch.allclose(ws[0][3:], ws[1][3:])


def test_convolutions_without_a_batch_axis():
    m, X = build(lambda: nn.Conv1d(3, 4, 2)), batch(3, 50)
    initialize(m, DataDependentWeightNorm(), X=X, random_state=0)
    out = m(X).detach()
    torch.testing.assert_close(out.std(1, correction=0), torch.ones(4), rtol=1e-4, atol=1e-4)


def test_buffers_that_forward_replaces():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 3)
            self.register_buffer("n", torch.zeros(()))

        def forward(self, x):
            self.n = self.n + 1
            return self.a(x)

    m = build(Counts)
    initialize(m, "lsuv", X=batch(20, 3))
    assert m.n == 0


def test_lsuv_lets_its_base_refine():
    m = build(lambda: nn.MultiheadAttention(16, 1))
    plain = copy.deepcopy(m)
    X = {k: batch(4, 3, 16, seed=i) for i, k in enumerate(("query", "key", "value"))}
    initialize(m, LSUV(MimeticAttention()), X=X, random_state=0)
    initialize(plain, MimeticAttention(), random_state=0)
    assert torch.equal(m.in_proj_weight, plain.in_proj_weight)  # LSUV does not change attention


def test_lsuv_lets_its_base_check_the_specs():
    with pytest.raises(InvalidParameterError, match="no parameter matches"):
        record(build(lambda: MLP(3, 2, (4,))), LSUV(PerParameter([("typo", "zeros", "haed")])), X=batch(9, 3))
