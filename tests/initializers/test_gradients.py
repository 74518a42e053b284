"""Laws of GradInit and MetaInit."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.utils import parametrizations

from initsk import initialize
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initializers import GradInit, HeNormal, MetaInit, PerParameter, RandomNormal, Zeros
from initsk.network import MLP
from tests.helpers import build

QUICK = [
    GradInit(n_steps=3),
    GradInit("torch_default", "adam", gamma=1.0, n_steps=3, batch_size=None),
    GradInit(algorithm="adam", n_steps=3),
    MetaInit(n_steps=2),
]
EXPLOSIVE = RandomNormal(1.0)
pytestmark = pytest.mark.usefixtures("one_thread")


def data(n=48, n_features=6):
    X = torch.randn(n, n_features, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return X, (X[:, 0] > 0).long() + (X[:, 1] > 0).long()


def small(hidden=(8, 8)):
    return build(lambda: MLP(6, 3, hidden, activation="tanh").double())


def digits():
    X, y = load_digits(return_X_y=True)
    return torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)


def weights(module):
    return {name: p.detach().clone() for name, p in module.named_parameters() if p.dim() > 1}


def state(module):
    return copy.deepcopy(module.state_dict())


def fitted(module, initializer, X, y, seed=0):
    initialize(module, initializer, X=X, y=y, random_state=seed)
    return module


def factors_of(module, scheme, X, y, seed=0):
    """Return by what each weight was multiplied, and check that nothing else happened to it."""
    base = weights(fitted(copy.deepcopy(module), scheme.base, X, y, seed))
    found = {}
    for name, after in weights(fitted(module, scheme, X, y, seed)).items():
        wide = torch.complex128 if after.is_complex() else torch.float64
        factor = (after.to(wide).norm() / base[name].to(wide).norm()).item()
        # Of the multiplication's rounding, and that of the norms.
        accuracy = 8 * torch.finfo(after.dtype).eps
        torch.testing.assert_close(after, base[name] * factor, rtol=accuracy, atol=0)
        found[name] = factor
    return found


def losses(module, X, y):
    """Return the loss as a function of factors of the weights, and of a step."""
    values = {name: p.detach() for name, p in module.named_parameters()}

    def at(factors, step=None):
        scaled = {name: value * factors.get(name, 1.0) for name, value in values.items()}
        if step is not None:
            scaled = {name: value - step[name] for name, value in scaled.items()}
        return cross_entropy(functional_call(module, scaled, (X,)), y), scaled

    return at


def gradient(loss, values):
    return torch.autograd.grad(loss, list(values.values()), create_graph=True)


def quotient(module, X, y, eps=1e-5):
    """Compute the gradient quotient with the Hessian written out."""
    names, values = zip(*((n, p.detach()) for n, p in module.named_parameters()), strict=True)
    sizes = [v.numel() for v in values]

    def loss(flat):
        parts = [part.reshape(v.shape) for part, v in zip(flat.split(sizes), values, strict=True)]
        return cross_entropy(functional_call(module, dict(zip(names, parts, strict=True)), (X,)), y)

    flat = torch.cat([v.flatten() for v in values]).requires_grad_()
    g = torch.autograd.grad(loss(flat), flat)[0]
    hessian = torch.autograd.functional.hessian(loss, flat.detach())
    sign = torch.where(g >= 0, 1.0, -1.0)
    return ((g - hessian @ g) / (g + eps * sign) - 1).abs().mean().item()


def norm_and_loss_after_step(module, X, y, algorithm="sgd", eta=0.1):
    loss, values = losses(copy.deepcopy(module).requires_grad_(False), X, y)({})
    values = {name: value.clone().requires_grad_() for name, value in values.items()}
    loss = cross_entropy(functional_call(module, values, (X,)), y)
    g = dict(zip(values, torch.autograd.grad(loss, list(values.values())), strict=True))
    if algorithm == "adam":
        norm, step = sum(v.abs().sum() for v in g.values()), {n: eta * v.sign() for n, v in g.items()}
    else:
        norm = torch.cat([v.flatten() for v in g.values()]).norm()
        step = {n: eta * v / norm for n, v in g.items()}
    with torch.no_grad():
        return norm.item(), losses(module, X, y)({}, step)[0].item()


@pytest.mark.parametrize("n_steps", [1, 5])
def test_metainit_steps_against_the_slope_of_the_quotient(n_steps):
    X, y = data()
    module = fitted(small((4,)), "he_normal", X, y)
    norms = {name: w.norm().item() for name, w in weights(module).items()}
    velocity = dict.fromkeys(norms, 0.0)
    lr, momentum = 0.02, 0.5
    for _ in range(n_steps):
        slopes = {}
        for name in norms:
            sides = []
            for shift in (1e-6, -1e-6):
                moved = copy.deepcopy(module)
                with torch.no_grad():
                    weight = moved.get_parameter(name)
                    weight.mul_(1 + shift)
                sides.append(quotient(moved, X, y))
            slopes[name] = sides[0] - sides[1]
        for name, slope in slopes.items():
            velocity[name] = momentum * velocity[name] - lr * np.sign(slope)
            with torch.no_grad():
                weight = module.get_parameter(name)
                weight.mul_((weight.norm() + velocity[name]) / weight.norm())
    found = factors_of(small((4,)), MetaInit(lr=lr, momentum=momentum, n_steps=n_steps, batch_size=None), X, y)
    expected = {name: w.norm().item() / norms[name] for name, w in weights(module).items()}
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_metainit_lowers_the_quotient():
    X, y = data()
    for seed in range(3):
        before, after = (
            quotient(fitted(small((8, 8, 8, 8)), scheme, X, y, seed), X, y)
            for scheme in (EXPLOSIVE, MetaInit(EXPLOSIVE, lr=0.05, n_steps=100, batch_size=None))
        )
        assert after < before / 2


def test_metainit_norms_stay_above_zero():
    X, y = data()
    found = factors_of(small(), MetaInit(RandomNormal(0.01), lr=1.0, n_steps=5), X, y)
    # A step of 1 is far beyond these norms; the floor is 0.01 of the base's.
    assert min(found.values()) >= 0.01 * (1 - 1e-9)


@pytest.mark.parametrize("algorithm", ["sgd", "adam"])
def test_gradinit_follows_adam_on_the_norm_or_the_loss_after_the_step(algorithm):
    X, y = data()
    module = fitted(small(), "he_normal", X, y)
    # Between the norms that occur, so that both kinds of steps do.
    gamma, eta, lr, n_steps = {"sgd": 0.55, "adam": 3.5}[algorithm], 0.05, 0.03, 30
    at = losses(module, X, y)
    m = {name: torch.ones((), dtype=torch.float64, requires_grad=True) for name in weights(module)}
    optimizers = [torch.optim.Adam(list(m.values()), lr=lr) for _ in range(2)]
    kinds = set()
    for _ in range(n_steps):
        values = {name: p.detach() * m.get(name, 1.0) for name, p in module.named_parameters()}
        values = {name: v if v.requires_grad else v.requires_grad_() for name, v in values.items()}
        g = gradient(cross_entropy(functional_call(module, values, (X,)), y), values)
        sizes = torch.cat([part.flatten() for part in g])
        norm = sizes.abs().sum() if algorithm == "adam" else sizes.norm()
        outside = bool(norm > gamma)
        step = [part.detach().sign() if algorithm == "adam" else (part / norm).detach() for part in g]
        goal = norm if outside else at(m, {n: eta * s for n, s in zip(values, step, strict=True)})[0] / eta
        for scale, slope in zip(m.values(), torch.autograd.grad(goal, list(m.values())), strict=True):
            scale.grad = slope.clamp(-1, 1)
        optimizers[outside].step()
        kinds.add(outside)
    assert kinds == {True, False}
    scheme = GradInit("he_normal", algorithm, eta=eta, gamma=gamma, lr=lr, n_steps=n_steps, batch_size=None)
    expected = {name: scale.item() for name, scale in m.items()}
    assert factors_of(small(), scheme, X, y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("algorithm", ["sgd", "adam"])
def test_gradinit_lowers_the_loss_after_a_step_and_the_norm(algorithm):
    X, y = digits()
    network = build(lambda: MLP(64, 10, (32, 32)))
    base = fitted(copy.deepcopy(network), EXPLOSIVE, X, y)
    eta, gamma = {"sgd": (0.1, 1.0), "adam": (0.001, 100.0)}[algorithm]
    scheme = GradInit(EXPLOSIVE, algorithm, gamma=gamma, lr=0.05, n_steps=120)
    factors = factors_of(network, scheme, X, y)
    norm_before, loss_before = norm_and_loss_after_step(base, X, y, algorithm, eta)
    norm, loss = norm_and_loss_after_step(network, X, y, algorithm, eta)
    assert loss < loss_before / 2
    assert norm_before > 5 * gamma
    # The bound holds for minibatches up to the last step.
    assert norm < 1.5 * gamma
    assert min(factors.values()) >= 0.01 * (1 - 1e-6)


def test_factors_have_a_floor():
    X, y = data()
    found = factors_of(small(), GradInit(RandomNormal(5.0), lr=0.5, n_steps=20, min_scale=0.25), X, y)
    assert min(found.values()) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("scheme", "gain"),
    [(GradInit(EXPLOSIVE, lr=0.02, n_steps=200), 0.4), (MetaInit(EXPLOSIVE, n_steps=80), 0.1)],
    ids=str,
)
def test_repairs_weights_that_are_far_too_large(scheme, gain):
    X, y = digits()

    def accuracy(initializer, seed):
        network = fitted(build(lambda: MLP(64, 10, (32, 32, 32))), initializer, X, y, seed)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        rows = torch.Generator().manual_seed(seed)
        for _ in range(80):
            chosen = torch.randint(len(X), (128,), generator=rows)
            optimizer.zero_grad()
            cross_entropy(network(X[chosen]), y[chosen]).backward()
            optimizer.step()
        with torch.no_grad():
            return (network(X).argmax(dim=1) == y).float().mean().item()

    before, after = (np.mean([accuracy(i, seed) for seed in range(4)]) for i in (EXPLOSIVE, scheme))
    assert after > before + gain


@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_random_state_decides(scheme):
    X, y = data(400)
    first, again, other = (weights(fitted(small(), scheme, X, y, seed)) for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_gradients_buffers_and_flags_stay(scheme):
    X, y = data()
    module = build(
        lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(), nn.Linear(8, 3)).double()
    )
    module[0].bias.requires_grad_(False)
    module[4].weight.grad = torch.full_like(module[4].weight, 7.0)
    module[1].eval()
    buffers = copy.deepcopy(dict(module.named_buffers()))
    frozen = module[0].bias.clone()
    for caller in (torch.enable_grad, torch.no_grad):
        with caller():
            fitted(module, scheme, X, y)
    assert module[4].weight.grad.unique().tolist() == [7.0]
    assert all(p.grad is None for p in module.parameters() if p is not module[4].weight)
    assert [name for name, p in module.named_parameters() if not p.requires_grad] == ["0.bias"]
    assert torch.equal(module[0].bias, frozen)
    assert [part.training for part in module] == [True, False, True, True, True]
    assert all(torch.equal(value, buffers[name]) for name, value in module.named_buffers())
    copy.deepcopy(module)


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4, padding_idx=0)
        self.lstm = nn.LSTM(4, 4, batch_first=True)
        self.attend = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens, mask=None):
        return self.head(self.attend(self.lstm(self.embed(tokens))[0]))


@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_recurrent_attention_and_tied_layers(scheme):
    tokens = torch.arange(120).reshape(20, 6) % 5
    module = build(Sequence)
    record = initialize(module, scheme, X={"tokens": tokens}, y=(tokens + 1) % 5, random_state=0).to_frame()
    assert record.set_index("name").loc["attend.self_attn.in_proj_weight", "why"].count("times") == 1
    assert not module.embed.weight[0].any()
    assert module.head.weight is module.embed.weight
    copy.deepcopy(module).eval()(tokens).sum().backward()


@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_other_types(scheme):
    X, y = data(8, 6)
    half = build(lambda: MLP(6, 3, (8,)).bfloat16())
    assert torch.isfinite(fitted(half, scheme, X, y).hidden_1.weight).all()

    def size(output, target):
        return (output.abs().square().sum(dim=1) - target).square().mean()

    waves = build(
        lambda: nn.Sequential(nn.Linear(6, 4, dtype=torch.complex128), nn.Linear(4, 1, dtype=torch.complex128))
    )
    factors_of(waves, copy.copy(scheme).set_params(criterion=size), X.to(torch.complex128), y)


@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_parametrized_weights_are_scaled_where_they_can_be(scheme):
    X, y = data()

    def net():
        normed, rotated = parametrizations.weight_norm(nn.Linear(6, 6)), parametrizations.orthogonal(nn.Linear(6, 6))
        return nn.Sequential(normed, nn.Tanh(), rotated, nn.Tanh(), nn.Linear(6, 3)).double()

    module, base = build(net), fitted(build(net), scheme.base, X, y)
    record = initialize(module, scheme, X=X, y=y, random_state=0).to_frame().set_index("name")
    ratio = module[0].weight.detach() / base[0].weight.detach()
    torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio))
    assert not np.isclose(ratio[0, 0].item(), 1)
    assert torch.equal(module[2].weight, base[2].weight)
    assert "does not pass a factor on" in record.loc["2.parametrizations.weight.original", "why"]


def test_biases_that_somebody_else_sets_stay():
    X, y = data()
    module = small()
    initialize(module, GradInit(n_steps=3), X=X, y=y, bias_initializer="ones", random_state=0)
    assert module.hidden_1.bias.unique().tolist() == [1.0]


def test_part_of_a_network():
    X, y = data()
    mixed = PerParameter([("first", GradInit(n_steps=3), "hidden_1")], remainder="he_normal")
    module, base = fitted(small(), mixed, X, y), fitted(small(), "he_normal", X, y)
    assert torch.equal(module.hidden_2.weight, base.hidden_2.weight)
    assert not torch.equal(module.hidden_1.weight, base.hidden_1.weight)


@pytest.mark.parametrize("shape", [(40,), (40, 1)])
def test_float_targets_mean_squared_error(shape):
    X, _ = data(40)
    y = X[:, 0].reshape(shape)

    def squares(output, target):
        return mse_loss(output, target.reshape(40, 1))

    module = build(lambda: MLP(6, 1, (8,)).double())
    same = [
        weights(fitted(copy.deepcopy(module), GradInit(n_steps=3, criterion=loss), X, y)) for loss in (None, squares)
    ]
    assert all(torch.equal(same[0][name], same[1][name]) for name in same[0])


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return g


class Stubborn(nn.Sequential):
    def forward(self, x):
        return Once.apply(super().forward(x))


class Idle(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x):
        return self.used(x)


def detached(output, target):
    return cross_entropy(output.detach(), target)


def constant(output, target):
    return (output * 0).sum()


def each(output, target):
    return cross_entropy(output, target, reduction="none")


X, Y = data(10)
SCHEMES = [GradInit(n_steps=2, gamma=1e-9), MetaInit(n_steps=2)]
LINEAR = lambda: nn.Linear(6, 3)  # noqa: E731
FAULTS = [
    (LINEAR, {}, X.where(X[0, 0] != X, float("nan")), Y, "X holds NaN"),
    (lambda: nn.Linear(6, 1), {}, X, X[:, 0] / 0, "y holds NaN or infinity"),
    (LINEAR, {}, X, Y + 2, "labels 2 to 4, but the module gives 3 scores"),
    (LINEAR, {}, X, Y[:7], "y of shape .7,. does not fit"),
    (LINEAR, {"batch_size": 4}, X, Y[:7], "y has 7 rows, and no part of X has as many"),
    (LINEAR, {}, X, X, "allowed: the same shape"),
    (lambda: nn.LSTM(6, 3), {}, X, Y, "gives tuple, not a tensor"),
    (LINEAR, {"base": RandomNormal(1e308)}, X, Y, "the loss is .*, not finite"),
    (Idle, {}, X, Y, "does not depend on unused.weight"),
    (LINEAR, {"criterion": detached}, X, Y, "does not depend on any parameter"),
    (LINEAR, {"criterion": constant}, X, Y, "zero for every parameter"),
    (LINEAR, {"criterion": each}, X, Y, r"a value of shape \(10,\)"),
    (lambda: Stubborn(nn.Linear(6, 3)), {}, X, Y, "more than once.*once_differentiable"),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize(("factory", "parameters", "X", "y", "words"), FAULTS, ids=[fault[-1] for fault in FAULTS])
def test_faults_are_named_and_leave_the_module(scheme, factory, parameters, X, y, words):
    module = build(lambda: factory().double())
    before = state(module)
    with pytest.raises(ModuleError, match=words):
        fitted(module, copy.copy(scheme).set_params(**parameters), X, y)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert all(part.training for part in module.modules())


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_a_batch_with_targets_is_needed(scheme):
    for given in ({}, {"X": X}, {"y": Y}):
        with pytest.raises(InvalidParameterError, match="needs a batch"):
            initialize(small(), scheme, **given)


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        (GradInit(algorithm="lamb", eta=0, min_scale=0), r"algorithm='lamb'|eta=0 .*min_scale=0"),
        (GradInit(criterion=nn.CrossEntropyLoss, batch_size=1), r"batch_size=1 .*criterion="),
        (MetaInit(momentum=1, eps=0), r"momentum=1 is not allowed \(a finite number >= 0 and < 1\).*eps=0"),
        (MetaInit(momentum="0.9"), "momentum='0.9'"),
    ],
    ids=str,
)
def test_wrong_parameters(scheme, words):
    with pytest.raises(InvalidParameterError, match=words):
        initialize(small(), scheme, X=X, y=Y)


def test_zeros_stay_zeros():
    module = fitted(small(), GradInit(PerParameter([("last", Zeros(), "output")], HeNormal()), n_steps=2), X, Y)
    assert not module.output.weight.any()
