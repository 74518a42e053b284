"""Schemes that measure a layer's output, or calculate it, and then correct the layer."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from initsk import initialize, list_initializers
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initializers import (
    LSUV,
    AutoInit,
    DataDependentWeightNorm,
    Initializer,
    PerParameter,
    RandomNormal,
    VarianceScaling,
    WithinLayer,
)
from initsk.network import MLP
from tests.helpers import batch, build, hooks_of

DATA_DEPENDENT = [LSUV(), LSUV(remove_mean=True), DataDependentWeightNorm(), WithinLayer(), WithinLayer("kmeans")]


def outputs(module, X):
    """Return what each affine layer gives at each call, in evaluation mode."""
    found = {}

    def keep(name):
        return lambda layer, arguments, output: found.setdefault(name, []).append(output.detach().double())

    layers = (nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
    handles = [
        part.register_forward_hook(keep(name)) for name, part in module.named_modules() if isinstance(part, layers)
    ]
    modes = {part: part.training for part in module.modules()}
    with torch.no_grad():
        module.eval()(*X) if isinstance(X, tuple) else module.eval()(X)
    for part, mode in modes.items():
        part.training = mode
    for handle in handles:
        handle.remove()
    return found


def state(module):
    hooks = [hooks_of(module), *((p.training, sorted(vars(p))) for p in module.modules())]
    return {name: value.clone() for name, value in module.state_dict().items()}, hooks


def assert_same_state(module, before):
    values, hooks = state(module)
    assert hooks == before[1]
    # Bit by bit: NaN is equal to itself.
    assert all(value.numpy().tobytes() == before[0][name].numpy().tobytes() for name, value in values.items())


class Shared(nn.Module):
    """One layer twice, batch normalisation with a history, dropout, convolutions, one layer that is never called."""

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


# ---------------------------------------------------------------- LSUV


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


def test_lsuv_with_normalisation_dropout_groups_and_a_shared_layer():
    module = build(Shared).train()
    X = batch(64, 3, 11, 11)
    before = module.norm.running_mean.clone(), module.norm.num_batches_tracked.clone()
    record = initialize(module, "lsuv", X=X, random_state=0).to_frame().set_index("name")
    found = outputs(module, X)
    for name in ("stem", "twice", "head"):
        # The layer that is called twice is right at its first call.
        assert abs(float(found[name][0].std()) - 1) <= 0.01
    assert module.training
    assert torch.equal(module.norm.running_mean, before[0])
    assert torch.equal(module.norm.num_batches_tracked, before[1])
    assert "standard deviation" in record.loc["stem.weight", "why"]
    assert "not called" in record.loc["never.weight", "why"]


def test_lsuv_is_one_pass():
    module = build(lambda: MLP(8, 2, (8,) * 20))
    calls = []
    module.activation_1.register_forward_hook(lambda *_: calls.append(1))
    initialize(module, "lsuv", X=batch(16, 8), random_state=0)
    assert len(calls) == 1
    assert len(hooks_of(module)["activation_1"]) == 1


def test_lsuv_with_biases_takes_several_corrections_or_says_so():
    X = batch(100, 10)
    module = build(lambda: nn.Linear(10, 50))
    given = {"X": X, "bias_initializer": RandomNormal(0.7), "random_state": 0}
    initialize(module, LSUV(max_iter=50), **given)
    assert abs(float(module(X).detach().std()) - 1) <= 0.01
    with pytest.raises(ModuleError, match=r"the layer has standard deviation .* after 1 corrections"):
        initialize(module, LSUV(max_iter=1, tol=1e-4), **given)


def test_users_hooks_see_the_corrected_output():
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


def test_rules_keep_to_their_layers():
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


def test_frozen_biases_and_weights_stay():
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


# ---------------------------------------------------------------- units of mean 0 and variance 1

NETWORKS = {
    "dense": (lambda: MLP(12, 3, (20, 8)), (100, 12)),
    "steps": (lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)), (40, 5, 6)),
    "Conv1d": (lambda: nn.Sequential(nn.Conv1d(4, 6, 3, padding="same", dilation=2), nn.ReLU()), (40, 4, 9)),
    "Conv2d": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=(1, 0)), nn.ReLU()), (40, 4, 9, 8)),
    "Conv3d": (lambda: nn.Sequential(nn.Conv3d(2, 40, 2), nn.ReLU()), (40, 2, 3, 4, 3)),
    "circular": (lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (40, 3, 6, 6)),
    "grouped": (lambda: nn.Conv2d(6, 9, (3, 2), groups=3), (40, 6, 6, 6)),
    "transposed": (lambda: nn.ConvTranspose2d(6, 9, 3, stride=2, groups=3), (40, 6, 4, 4)),
}


@pytest.mark.parametrize("initializer", DATA_DEPENDENT[2:], ids=repr)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_unit_has_mean_zero_and_variance_one(initializer, network):
    factory, shape = NETWORKS[network]
    module, X = build(factory), batch(*shape) * 2 + 1
    initialize(module, initializer, X=X, random_state=0)
    for name, (output,) in outputs(module, X).items():
        part = module.get_submodule(name)
        axis = -1 if isinstance(part, nn.Linear) else 1
        units = output.movedim(axis, 0).flatten(1)
        assert float(units.mean(1).abs().max()) < 1e-4
        assert float((units.std(1, correction=0) - 1).abs().max()) < 1e-4


def test_bilinear_layers():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = nn.Bilinear(4, 5, 6)

        def forward(self, a, b):
            return self.pair(a, b)

    X = batch(50, 4), batch(50, 5, seed=1)
    for initializer in DATA_DEPENDENT:
        module = build(Pair)
        initialize(module, initializer, X=X, random_state=0)
        assert abs(float(outputs(module, X)["pair"][0].std(correction=0)) - 1) <= 0.01


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


# ---------------------------------------------------------------- principal components and clusters


@pytest.mark.parametrize("network", ["Conv1d", "Conv2d", "circular", "grouped"])
def test_principal_components_are_uncorrelated(network):
    factory, shape = NETWORKS[network]
    module, X = build(factory), batch(*shape).cumsum(-1)
    initialize(module, WithinLayer(), X=X, random_state=0)
    ((output,),) = outputs(module, X).values()
    groups = getattr(module, "groups", 1)
    for part in output.transpose(0, 1).flatten(1).chunk(groups):
        # All patches were looked at, so the covariance is the identity up to rounding.
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


def test_cluster_centres_point_at_the_clusters():
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


def test_many_patches_are_sampled():
    scales = torch.tensor([1.0, 2.0, 4.0, 8.0])
    module = build(lambda: nn.Linear(4, 2))
    initialize(module, WithinLayer(), X=batch(30_000, 4) * scales, random_state=0)
    assert module.weight.detach().abs().argmax(dim=1).tolist() == [3, 2]


# ---------------------------------------------------------------- AutoInit


class Apply(nn.Module):
    """A function of the input, then a layer."""

    def __init__(self, function, width=32):
        super().__init__()
        self.function = function
        self.layer = nn.Linear(width, 3)

    def forward(self, x):
        return self.layer(self.function(x))


def square_that_reaches(module, layer="layer", **parameters):
    """Return the mean square that AutoInit takes the input of a layer to have: exact, since the draws are the same."""
    found = []
    for initializer in (VarianceScaling(distribution="truncated_normal"), AutoInit(**parameters)):
        initialize(module, initializer, random_state=0)
        found.append(module.get_submodule(layer).weight.detach().clone())
    ratio = (found[0] / found[1])[found[0] != 0]
    assert float(ratio.max() - ratio.min()) < 1e-4 * float(ratio.max())
    return float(ratio.mean()) ** 2


RELU_MEAN = (2 * np.pi) ** -0.5


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (nn.Identity(), 1.0),
        (nn.ReLU(inplace=True), 0.5),
        (torch.relu, 0.5),
        (lambda x: x.relu(), 0.5),
        (lambda x: F.relu(x, inplace=True), 0.5),
        (lambda x: F.leaky_relu(x, 0.2, inplace=True), 0.52),
        (nn.LeakyReLU(0.2, inplace=True), 0.52),
        (lambda x: F.leaky_relu(x, negative_slope=0.2), 0.52),
        (nn.Tanh(), 0.394294),
        (lambda x: x.clamp(-1, 1), 0.516059),
        (lambda x: x**2, 3.0),
        (lambda x: x * x, 3.0),
        (lambda x: x + x, 4.0),
        (lambda x: 2 * x + 1, 5.0),
        (lambda x: (1 - x) / 2, 0.5),
        (lambda x: -x, 1.0),
        (lambda x: torch.add(x, torch.relu(x), alpha=2), 1 + 4 * (0.5 - RELU_MEAN**2) + 4 * RELU_MEAN**2),
        (lambda x: x + torch.relu(x), 1.5),
        (lambda x: x * torch.sigmoid(x), 0.293379),
        (lambda x: torch.cat([x[:, :16], torch.relu(x)[:, 16:]], dim=1), 0.75),
        (lambda x: torch.cat([x[:, :8], torch.relu(x)[:, 8:]], dim=-1), 0.625),
        (lambda x: x.view(x.size(0), -1).reshape(x.shape).permute(0, 1), 1.0),
        (lambda x: x.chunk(2, dim=1)[0].repeat(1, 2), 1.0),
        (lambda x: F.dropout(x, 0.75), 4.0),
        (lambda x: F.dropout(x, 0.75, training=False), 1.0),
        (nn.Dropout(0.5), 2.0),
        (nn.AlphaDropout(0.5), 1.0),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm1d(32)), 1.0),
        (lambda x: F.layer_norm(3 * x, (32,)), 1.0),
        (nn.RMSNorm(32), 1.0),
        (nn.Sequential(nn.ReLU(), nn.Unflatten(1, (4, 8)), nn.Flatten()), 0.5),
        (lambda x: F.pad(x[:, :24], (4, 4)), 0.75),
        (lambda x: x + torch.ones(32), 2.0),
        (lambda x: F.gelu(x, approximate="none"), 1 / 3 + 1 / (2 * 3**0.5 * np.pi)),
        (nn.PReLU(init=0.5), 0.625),
        (nn.RReLU(0.1, 0.3), 0.52),
        (lambda x: x * torch.full((32,), 3.0), 9.0),
        (lambda x: F.softmax(x, dim=1), 2 / 32**2),
    ],
)
def test_moments_known_by_hand(function, expected):
    module = build(lambda: Apply(function))
    assert square_that_reaches(module, input_shape=(32,)) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize(
    ("function", "width", "expected"),
    [
        (nn.Sequential(nn.AvgPool1d(4), nn.Flatten()), 8, 1 / 4 + 1),
        (lambda x: F.avg_pool1d(x, 4).flatten(1), 8, 1 / 4 + 1),
        (lambda x: x.mean(dim=2), 4, 1 / 8 + 1),
        (nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten()), 4, 1 / 8 + 1),
        # The larger of two: mean 1 / sqrt(pi), mean square 1, both about the mean of the signal.
        (lambda x: F.max_pool1d(x, 2).flatten(1), 16, 1 + 2 * np.pi**-0.5 + 1),
        (nn.Sequential(nn.AdaptiveMaxPool1d(4), nn.Flatten()), 16, 1 + 2 * np.pi**-0.5 + 1),
        (nn.Sequential(nn.ReflectionPad1d(2), nn.AvgPool1d(3), nn.Flatten()), 16, 1 / 3 + 1),
        (nn.Sequential(nn.GroupNorm(2, 4), nn.Flatten()), 32, 1.0),
        (nn.Sequential(nn.Dropout(0.5), nn.Flatten()), 32, 4.0),
    ],
)
def test_moments_of_windows_and_of_inputs_with_a_mean(function, width, expected):
    module = build(lambda: Apply(function, width))
    found = square_that_reaches(module, input_mean=1.0, input_variance=1.0, input_shape=(4, 8))
    assert found == pytest.approx(expected, rel=1e-6)


def test_autoinit_law_for_the_articles_network():
    # Sample variances of 32768 values or more; five standard errors are missed once in two million draws.
    module = build(lambda: MLP(784, 512, (512, 256, 128)))
    initialize(module, AutoInit(input_mean=0.1, input_variance=0.09), random_state=0)
    for layer, square in zip(
        [m for m in module.children() if isinstance(m, nn.Linear)], [0.1, 0.5, 0.5, 0.5], strict=True
    ):
        weight = layer.weight.detach().double()
        assert float(weight.var()) * layer.in_features * square == pytest.approx(1, abs=5 * (2 / weight.numel()) ** 0.5)
        # Truncated at two standard deviations, before the correction.
        assert float(weight.abs().max()) <= 2.2738 * (1 / layer.in_features / square) ** 0.5


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(400, 400), nn.Linear(400, 400)

    def forward(self, x, mask=None, factor=1.0):
        if mask is not None:
            x = x * mask
        return x + factor * self.down(torch.tanh(self.up(F.relu(x))))


def test_autoinit_through_residual_branches():
    # Means over 400 units and 5 seeds; the calculation takes signals for normal, so 10 per cent are allowed.
    X = batch(200, 64)
    found = []
    for seed in range(5):
        module = build(lambda: nn.Sequential(nn.Linear(64, 400), Block(), Block(), nn.ReLU(), nn.Linear(400, 400)))
        initialize(module, AutoInit(), random_state=seed)
        found.append([float(output.square().mean()) for (output,) in outputs(module, X).values()])
    np.testing.assert_allclose(np.mean(found, axis=0), 1, rtol=0.1)


@pytest.mark.parametrize("again", [False, True], ids=["frozen", "called twice"])
def test_layers_that_are_not_set_count_as_they_are(again):
    inner = build(lambda: nn.Linear(32, 32))
    module = build(lambda: Apply(nn.Sequential(inner, nn.ReLU(), inner) if again else inner))
    if not again:
        inner.requires_grad_(False)
        inner.bias.fill_(0.5)
    found = square_that_reaches(module, input_mean=0.0 if again else 1.0)
    weight, bias = inner.weight.detach().double(), inner.bias.detach().double()
    mean, variance = (RELU_MEAN, 0.5 - RELU_MEAN**2) if again else (1.0, 1.0)
    # Over the batch, each unit has this mean and variance.
    units = mean * weight.sum(1) + bias, variance * weight.square().sum(1)
    assert found == pytest.approx(float((units[0] ** 2 + units[1]).mean()), rel=1e-4)


@pytest.mark.parametrize(
    ("factory", "shapes"),
    [
        (lambda: nn.Conv2d(20, 30, 5, groups=2), [(8, 20, 9, 9)]),
        (lambda: nn.ConvTranspose2d(30, 20, 4, stride=2, padding=3), [(8, 30, 9, 9)]),
        (lambda: nn.Bilinear(9, 9, 50), [(500, 9), (500, 9)]),
    ],
    ids=["Conv2d", "ConvTranspose2d", "Bilinear"],
)
def test_autoinit_of_other_layers(factory, shapes):
    layer = build(factory)
    X = [batch(*shape, seed=seed) + 1 for seed, shape in enumerate(shapes)]
    squares = []
    for seed in range(20):
        initialize(layer, AutoInit(input_mean=1.0), random_state=seed)
        squares.append(float(layer(*X).detach().square().mean()))
    # The mean of 20 within four of its standard errors: missed once in a thousand times, or less.
    assert np.mean(squares) == pytest.approx(1, abs=4 * np.std(squares, ddof=1) / 20**0.5)


def test_dropout_that_asks_for_the_mode():
    class Asking(Apply):
        def forward(self, x):
            return super().forward(F.dropout(x, 0.75, self.training))

    for training in (True, False):
        module = build(lambda: Asking(nn.Identity())).train(training)
        assert square_that_reaches(module) == pytest.approx(4.0, rel=1e-5)
        assert module.training == training


def test_autoinit_does_not_follow_what_no_layer_needs():
    module = build(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.LSTM(1, 1)))
    initialize(module, "autoinit", random_state=0)


def test_embeddings_begin_with_variance_one():
    module = build(lambda: nn.Sequential(nn.Embedding(1000, 50), nn.Linear(50, 3)))
    # 50000 values: five standard errors.
    assert square_that_reaches(module, "1") == pytest.approx(1, abs=5 * (2 / 50_000) ** 0.5)


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else x


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (Deciding, "torch.fx cannot trace Deciding"),
        (lambda: nn.Sequential(nn.LSTM(3, 3), nn.Linear(3, 3)), "no rule for LSTM, at '0'"),
        (lambda: nn.TransformerEncoderLayer(4, 2), "no rule for TransformerEncoderLayer, at '0'"),
        (lambda: Apply(lambda x: torch.fft.fft(x).real, 3), "no rule for the operation 'fft_fft'"),
        (lambda: Apply(lambda x: x.mean((2, 3)), 3), "AutoInit needs sizes"),
        (lambda: Apply(lambda x: 0 * x, 3), "what reaches layer 'layer' is zero"),
        (lambda: nn.Sequential(nn.ReLU(), spectral_norm(nn.Linear(3, 9))).eval(), "parametrization of layer"),
    ],
)
def test_autoinit_says_what_it_cannot_follow(factory, message):
    module = build(factory)
    before = state(module)
    with pytest.raises(ModuleError, match=message):
        initialize(module, AutoInit(input_variance=3.0), random_state=0)
    assert_same_state(module, before)


def test_autoinit_leaves_nothing_in_the_module():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.last = None

        def forward(self, x):
            self.last = x
            # A real draw at the time of tracing, too.
            return self.layer(x + torch.randn(4))

    module = build(Noisy)
    names = sorted(vars(module))
    initialize(module, "autoinit", random_state=0)
    assert sorted(vars(module)) == names
    assert module.last is None


# ---------------------------------------------------------------- errors, and what stays

ALL = [*DATA_DEPENDENT, AutoInit(), AutoInit(distribution="uniform", input_shape=(3,))]


class Overflows(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.second(self.norm(self.first(x) * 1e30) * 1e30)


@pytest.mark.parametrize("initializer", DATA_DEPENDENT, ids=repr)
@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (None, InvalidParameterError, r"needs a batch \(allowed: initialize\(\.\.\., X=\.\.\.\)\)"),
        (torch.full((5, 3), float("nan")), ModuleError, "X holds NaN or infinity"),
        (batch(0, 3), ModuleError, "no values reach layer 'first'"),
        (torch.zeros(5, 3), ModuleError, "layer 'first' is constant"),
        (batch(5, 3), ModuleError, "what reaches layer 'second' holds NaN or infinity"),
    ],
    ids=["missing", "nan", "empty", "constant", "overflow"],
)
def test_failures_name_the_place_and_change_nothing(initializer, X, error, message):
    module = build(Overflows).train()
    module.first.register_forward_hook(lambda layer, arguments, output: None)
    before = state(module)
    with pytest.raises(error, match=message):
        initialize(module, initializer, X=X, random_state=0)
    assert_same_state(module, before)


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
    # Equal rows, but for rounding.
    with pytest.raises(ModuleError, match="is constant"):
        initialize(module, DataDependentWeightNorm(), X=batch(1, 4).expand(333, 4), random_state=0)


def test_spectral_normalisation_is_refused():
    module = build(lambda: nn.Sequential(spectral_norm(nn.Linear(4, 5))))
    for initializer in DATA_DEPENDENT:
        with pytest.raises(ModuleError, match=r"layer '0' changes the weight .* such as weight_norm"):
            initialize(module, initializer, X=3 * batch(20, 4), random_state=0)


@pytest.mark.parametrize("initializer", ALL, ids=repr)
def test_the_same_seed_and_no_trace(initializer):
    X = batch(64, 3)
    modules = [build(lambda: nn.Sequential(nn.Linear(3, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 2)))] * 2
    given = {"X": X, "random_state": 5}
    copy = X.clone()
    for module in modules:
        module.train()
        before = state(module)
        initialize(module, initializer, **given)
        assert state(module)[1] == before[1]
        assert int(module[1].num_batches_tracked) == 0
    assert torch.equal(X, copy)
    first, second = (state(module)[0] for module in modules)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.complex64])
def test_other_types(dtype):
    X = batch(400, 20).to(dtype)
    for initializer in DATA_DEPENDENT:
        module = build(lambda: nn.Linear(20, 30, dtype=dtype))
        initialize(module, initializer, X=X, random_state=0)
        square = float(module(X).detach().to(torch.complex128).abs().square().mean())
        assert square == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("initializer", ALL, ids=repr)
def test_values(initializer):
    assert Initializer.from_json(initializer.to_json()) == initializer
    assert pickle.loads(pickle.dumps(initializer)) == initializer
    assert initializer.sample((6, 4), random_state=0).shape == (6, 4)


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        (LSUV(tol=0), "tol=0"),
        (LSUV(max_iter=0, remove_mean="no"), "max_iter=0 .*remove_mean='no'"),
        (LSUV("orthgonal"), "did you mean 'orthogonal'"),
        (WithinLayer("zca"), "method='zca'"),
        (DataDependentWeightNorm(3), "base=3"),
        (AutoInit(input_variance=-1.0, input_shape=(0,)), "input_variance=-1.0 .*input_shape"),
    ],
)
def test_parameters_are_checked(initializer, message):
    with pytest.raises(InvalidParameterError, match=message):
        initialize(build(lambda: nn.Linear(3, 3)), initializer, X=batch(9, 3))


def test_names():
    table = list_initializers().set_index("name")
    needs = table.loc[["lsuv", "data_dependent_weight_norm", "within_layer", "autoinit"], "needs_data"]
    assert needs.tolist() == [True, True, True, False]
    module = build(lambda: nn.Linear(3, 3))
    for name in ("salimans", "krahenbuhl", "magic_init"):
        initialize(module, name, X=batch(30, 3), random_state=0)
