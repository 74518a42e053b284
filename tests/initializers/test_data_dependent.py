"""LSUV and DataDependentWeightNorm."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from initsk import initialize
from initsk.exceptions import ModuleError
from initsk.initializers import (
    LSUV,
    DataDependentWeightNorm,
    Ones,
    PerParameter,
    RandomNormal,
)
from initsk.network import MLP
from tests.helpers import batch, build, hooks_of
from tests.initializers.support import assert_same_state, outputs, state


class Shared(nn.Module):
    """Network with a layer called twice, a layer never called, batch normalization, dropout and convolutions."""

    def __init__(self):
        super().__init__()
        self.never = nn.Linear(7, 7)
        self.head = nn.Linear(12 * 5 * 5, 4)
        self.stem = nn.Conv2d(3, 12, 3, stride=2)
        self.norm = nn.BatchNorm2d(12)
        self.norm.running_mean.fill_(0.5)
        self.twice = nn.Conv2d(12, 12, 3, padding=1, groups=3, bias=False)
        self.drop = nn.Dropout(0.9)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.tanh(self.twice(x))
        return self.head(self.drop(self.twice(x)).flatten(1))


@pytest.mark.parametrize("base", ["orthogonal", "he_normal", RandomNormal(10.0)])
@pytest.mark.parametrize("remove_mean", [False, True])
def test_lsuv_gives_every_layer_standard_deviation_one(base, remove_mean):
    module = build(lambda: MLP(784, 10, (512, 256, 128, 64)))
    X = batch(200, 784) + 1
    initialize(module, LSUV(base, remove_mean=remove_mean), X=X, random_state=0)
    found = outputs(module, X)
    assert list(found) == ["hidden_1", "hidden_2", "hidden_3", "hidden_4", "output"]
    for (output,) in found.values():
        assert abs(float(output.std()) - 1) <= 0.01
        assert not remove_mean or abs(float(output.mean())) < 1e-5
    assert remove_mean or all(not b.any() for name, b in module.named_parameters() if name.endswith("bias"))


def test_lsuv_only_scales():
    module, base = (build(lambda: MLP(20, 3, (30, 10), activation="tanh")) for _ in range(2))
    X = batch(50, 20) * 3
    initialize(module, LSUV(), X=X, random_state=1)
    initialize(base, "orthogonal", random_state=1)
    for scaled, drawn in zip(module.parameters(), base.parameters(), strict=True):
        ratio = (scaled[drawn != 0] / drawn[drawn != 0]).detach()
        assert ratio.numel() == 0 or float(ratio.max() - ratio.min()) < 1e-5


def test_lsuv_with_normalization_dropout_groups_and_a_shared_layer():
    module = build(Shared).train()
    X = batch(64, 3, 11, 11)
    before = module.norm.running_mean.clone(), module.norm.num_batches_tracked.clone()
    record = initialize(module, "lsuv", X=X, random_state=0).to_frame().set_index("name")
    found = outputs(module, X)
    for name in ("stem", "twice", "head"):
        # The layer that is called twice is calibrated at its first call.
        assert abs(float(found[name][0].std()) - 1) <= 0.01
    assert module.training
    assert torch.equal(module.norm.running_mean, before[0])
    assert torch.equal(module.norm.num_batches_tracked, before[1])
    assert "standard deviation" in record.loc["stem.weight", "why"]
    assert "not called" in record.loc["never.weight", "why"]


def test_lsuv_runs_one_forward_pass():
    module = build(lambda: MLP(8, 2, (8,) * 20))
    calls = []
    module.activation_1.register_forward_hook(lambda *_: calls.append(1))
    initialize(module, "lsuv", X=batch(16, 8), random_state=0)
    assert len(calls) == 1
    assert len(hooks_of(module)["activation_1"]) == 1


def test_lsuv_with_biases_takes_several_corrections_or_raises():
    X = batch(100, 10)
    module = build(lambda: nn.Linear(10, 50))
    given = {"X": X, "bias_initializer": RandomNormal(0.7), "random_state": 0}
    initialize(module, LSUV(max_iter=50), **given)
    assert abs(float(module(X).detach().std()) - 1) <= 0.01
    with pytest.raises(ModuleError, match=r"the layer has standard deviation .* after 1 correction "):
        initialize(module, LSUV(max_iter=1, tol=1e-4), **given)


def test_the_hooks_of_users_get_the_corrected_output():
    module = build(lambda: MLP(8, 2, (16,)))
    seen = []
    module.hidden_1.register_forward_hook(lambda layer, arguments, output: seen.append(float(output.std())))
    initialize(module, LSUV(RandomNormal(5.0)), X=batch(64, 8), random_state=0)
    assert seen == [pytest.approx(1, abs=0.01)]


def test_lsuv_inside_of_a_transformer_layer_with_padding():
    module = build(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1))
    X = {"src": batch(16, 5, 8), "src_key_padding_mask": torch.arange(5).expand(16, 5) > 3}
    fast = torch.backends.mha.get_fastpath_enabled()
    record = initialize(module, "lsuv", X=X, random_state=0).to_frame().set_index("name")
    assert "standard deviation" in record.loc["layers.0.linear2.weight", "why"]
    assert "not called" in record.loc["layers.0.self_attn.out_proj.weight", "why"]
    assert torch.backends.mha.get_fastpath_enabled() == fast


def test_a_rule_calibrates_only_its_layers():
    module = build(lambda: MLP(10, 3, (20, 20)))
    mixed = PerParameter([("calibrated", LSUV(remove_mean=True), "hidden_2")], remainder="he_normal")
    plain = build(lambda: MLP(10, 3, (20, 20)))
    X = batch(100, 10)
    initialize(module, mixed, X=X, random_state=0)
    initialize(plain, "he_normal", random_state=0)
    assert abs(float(outputs(module, X)["hidden_2"][0].std()) - 1) <= 0.01
    assert module.hidden_2.bias.detach().any()
    for name in ("hidden_1.weight", "hidden_1.bias", "output.weight", "output.bias"):
        assert torch.equal(module.get_parameter(name), plain.get_parameter(name))


def test_frozen_biases_and_weights_do_not_change():
    module = build(lambda: MLP(10, 3, (20, 20)))
    module.hidden_1.bias.requires_grad_(False)
    module.hidden_2.requires_grad_(False)
    before = state(module)[0]
    X = batch(100, 10)
    initialize(module, DataDependentWeightNorm(), X=X, random_state=0)
    for name in ("hidden_1.bias", "hidden_2.weight", "hidden_2.bias"):
        assert torch.equal(module.state_dict()[name], before[name])
    found = outputs(module, X)
    torch.testing.assert_close(found["hidden_1"][0].std(0, correction=0), torch.ones(20).double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(found["output"][0].mean(0), torch.zeros(3).double(), rtol=0, atol=1e-4)


def test_weight_norm_initialization_is_the_papers_formula():
    module, base = (build(lambda: nn.Linear(6, 4)) for _ in range(2))
    X = batch(80, 6) + 2
    initialize(module, DataDependentWeightNorm(), X=X, random_state=3)
    initialize(base, RandomNormal(0.05), random_state=3)
    with torch.no_grad():
        before = base(X)
        mean, std = before.mean(0), before.std(0, correction=0)
        torch.testing.assert_close(module.weight, base.weight / std[:, None], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(module.bias, -mean / std, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", [lambda: nn.Linear(6, 4), lambda: nn.Conv2d(6, 4, 2)], ids=["Linear", "Conv2d"])
def test_weight_norm_keeps_directions_and_sets_sizes(layer):
    module, base = (build(lambda: weight_norm(layer())) for _ in range(2))
    X = batch(80, 6) if isinstance(module, nn.Linear) else batch(20, 6, 3, 3)
    initialize(module, DataDependentWeightNorm(), X=X, random_state=3)
    initialize(base, RandomNormal(0.05), random_state=3)
    behind = module.parametrizations.weight
    assert torch.equal(behind.original1, base.parametrizations.weight.original1)
    assert (behind.original0 != base.parametrizations.weight.original0).all()
    units = module(X).detach().transpose(0, 1).flatten(1)
    torch.testing.assert_close(units.std(1, correction=0), torch.ones(4), rtol=0, atol=1e-5)
    initialize(module, "lsuv", X=X, random_state=3)
    assert abs(float(module(X).detach().std()) - 1) <= 0.01


def test_constant_output_under_lsuv():
    module = build(lambda: MLP(4, 2, (5, 5)))
    before = state(module)
    with pytest.raises(ModuleError, match="the output of layer 'hidden_2' is constant"):
        initialize(module, LSUV(PerParameter([("dead", "zeros", "hidden_2")])), X=batch(20, 4), random_state=0)
    assert_same_state(module, before)


def test_batch_of_one_sample_has_no_unit_variance():
    module = build(lambda: MLP(4, 2, (5,)))
    with pytest.raises(ModuleError, match="unit 0 of layer 'hidden_1' is constant over the batch"):
        initialize(module, DataDependentWeightNorm(), X=batch(1, 4), random_state=0)
    # The rows are equal up to rounding.
    with pytest.raises(ModuleError, match="is constant"):
        initialize(module, DataDependentWeightNorm(), X=batch(1, 4).expand(333, 4), random_state=0)


def test_drawn_biases_are_corrected():
    X = batch(80, 6) + 2
    m = build(lambda: nn.Linear(6, 4))
    initialize(m, DataDependentWeightNorm("torch_default"), X=X, random_state=0)
    assert float(m(X).detach().mean(0).abs().max()) < 1e-5


def test_lsuv_subtracts_the_mean():
    X = batch(80, 6) + 2
    m = build(lambda: nn.Linear(6, 40))
    initialize(m, LSUV("torch_default", remove_mean=True), X=X, random_state=0)
    assert abs(float(m(X).detach().mean())) < 1e-5


def test_an_output_that_differs_by_rounding_is_constant():
    # The rows are equal up to rounding.
    X = 1 + 1e-7 * batch(333, 4).sign()
    for s in (LSUV(Ones()), DataDependentWeightNorm(Ones())):
        with pytest.raises(ModuleError, match="constant"):
            initialize(build(lambda: nn.Linear(4, 3)), s, X=X, random_state=0)


def test_statistics_of_half_precision_are_computed_in_float32():
    X = batch(5000, 64).bfloat16()
    m = build(lambda: nn.Linear(64, 64, dtype=torch.bfloat16))
    initialize(m, DataDependentWeightNorm(), X=X, random_state=0)
    std = m(X).detach().float().std(0, correction=0)
    assert float((std - 1).abs().max()) < 0.01


def test_convolutions_without_a_batch_axis():
    m, X = build(lambda: nn.Conv1d(3, 4, 2)), batch(3, 50)
    initialize(m, DataDependentWeightNorm(), X=X, random_state=0)
    out = m(X).detach()
    torch.testing.assert_close(out.std(1, correction=0), torch.ones(4), rtol=1e-4, atol=1e-4)
