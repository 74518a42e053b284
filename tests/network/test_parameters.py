"""How modules are read: blocks, branches, places and rules."""

import copy
import math

import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional

from initsk import get_initializer, initialize
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    LSUV,
    Constant,
    DepthScaledResidual,
    EdgeOfChaos,
    Fixup,
    GradInit,
    MimeticAttention,
    PerParameter,
    RandomNormal,
    TFixup,
)
from initsk.network import MLP
from tests.helpers import RARE, batch, build, record, variance_fits


def test_auto_gives_embeddings_the_variance_of_their_width():
    m = build(lambda: nn.Embedding(500, 60))
    record(m, "auto")
    assert variance_fits(m.weight, 1 / 60)


@pytest.mark.parametrize("distribution", ["uniform", "orthogonal", "truncated_normal"])
def test_edge_of_chaos_has_normal_biases(distribution):
    m = build(lambda: nn.Linear(4, 20000))
    record(m, EdgeOfChaos("tanh", 0.05, distribution))
    assert stats.kstest(m.bias.detach().numpy(), stats.norm(0, math.sqrt(0.05)).cdf).pvalue > RARE


def test_edge_of_chaos_keeps_its_function_when_the_module_is_read():
    m = build(lambda: MLP(300, 3, (400,), activation="relu"))
    record(m, EdgeOfChaos("tanh"), output_initializer="zeros")
    assert variance_fits(m.hidden_1.weight, 1 / 300)


def test_a_scheme_lets_its_base_refine():
    m = build(lambda: nn.MultiheadAttention(16, 1))
    plain = copy.deepcopy(m)
    X = {k: batch(4, 3, 16, seed=i) for i, k in enumerate(("query", "key", "value"))}
    initialize(m, LSUV(MimeticAttention()), X=X, random_state=0)
    initialize(plain, MimeticAttention(), random_state=0)
    assert torch.equal(m.in_proj_weight, plain.in_proj_weight)  # not of a layer that LSUV reaches


def test_a_scheme_lets_its_base_look_at_the_network():
    with pytest.raises(InvalidParameterError, match="no parameter matches"):
        record(build(lambda: MLP(3, 2, (4,))), LSUV(PerParameter([("typo", "zeros", "haed")])), X=batch(9, 3))


def test_classes_of_rules_include_subclasses():
    m = build(lambda: nn.Sequential(nn.Conv1d(2, 2, 2), nn.Conv2d(2, 2, 2)))
    assert record(m, PerParameter([("c", "ones", nn.Conv1d.__base__)]))["initializer"].str.count("Ones").sum() == 2

    class Mine(nn.Linear):
        pass

    m = build(lambda: Mine(2, 2))
    assert record(m, PerParameter([("c", "ones", nn.Linear)])).loc["weight", "initializer"] == "Ones()"


@pytest.mark.parametrize("name", ["rules", "remainder", ""])
def test_reserved_names_of_rules(name):
    with pytest.raises(InvalidParameterError, match="is taken"):
        get_initializer(PerParameter([(name, "ones", "*")]))


def test_rules_let_their_initializers_look():
    with pytest.raises(InvalidParameterError, match="found no"):
        record(build(lambda: MLP(3, 2, (4,))), PerParameter([("a", "ones", "output")], "fixup"))


class Res(nn.Module):
    def __init__(self, depth=2, n=3, norm=None, width=30):
        super().__init__()
        self.stem, self.head = nn.Linear(width, width), nn.Linear(width, 3)
        self.blocks = nn.ModuleList(nn.ModuleList([nn.Linear(width, width) for _ in range(depth)]) for _ in range(n))
        self.norms = nn.ModuleList((norm or (lambda w: nn.Identity()))(width) for _ in range(n))

    def forward(self, x):
        x = self.stem(x)
        for block, norm in zip(self.blocks, self.norms, strict=False):
            y = x
            for layer in block:
                y = layer(torch.relu(y))
            x = x + norm(y)
        return self.head(x)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_fixup_counts_the_layers_of_a_branch(depth):
    m = build(lambda: Res(depth, 4, width=100))
    record(m, "fixup")
    assert variance_fits(m.blocks[1][0].weight, 2 / 100 * 4 ** (-2 / (2 * depth - 2)))


def test_fixup_leaves_normalisations():
    m = build(lambda: Res(norm=nn.LayerNorm))
    record(m, "fixup")
    assert all(bool((n.weight == 1).all()) for n in m.norms)


def test_rms_normalisation_is_left():
    m = build(lambda: Res(norm=nn.RMSNorm))
    record(m, "zero_last_in_branch")
    assert not any(bool(n.weight.any()) for n in m.norms)
    assert m.blocks[0][1].weight.any()
    assert "identity" in record(build(lambda: nn.RMSNorm(3)), "he_normal").loc["weight", "why"]


def test_residual_schemes_let_their_base_look():
    with pytest.raises(InvalidParameterError, match="no transformer layer"):
        record(build(Res), Fixup(TFixup()))


def test_subclasses_of_layers_are_layers():
    class Mine(nn.Linear):
        def forward(self, x):
            # No decision on symbols: a layer is not looked into.
            return super().forward(x) if x.sum() > 0 else 2 * super().forward(x)

    m = build(lambda: nn.Sequential(Mine(3, 3), nn.Tanh(), nn.Linear(3, 3)))
    assert record(m, "auto").loc["0.weight", "initializer"] == "GlorotUniform()"


def test_frozen_parameters_stay():
    m = build(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))
    m.parametrizations.weight.original0.requires_grad_(False)
    before = copy.deepcopy(m.state_dict())
    r = record(m, "he_normal")
    assert torch.equal(m.parametrizations.weight.original0, before["parametrizations.weight.original0"])
    assert r["why"].str.contains("frozen").any()


def test_added_keys_and_values():
    m = build(lambda: nn.MultiheadAttention(6, 2, add_bias_kv=True))
    r = record(m, "he_normal")
    assert r.loc["bias_k", ["role", "fan_in", "touched"]].tolist() == ["bias", 6, True]
    assert not m.bias_k.any()


def test_each_projection_is_drawn_apart():
    m = build(lambda: nn.MultiheadAttention(2, 1))
    record(
        m,
        PerParameter(
            [
                (n, Constant(v), lambda s, n=n: s.block == n and s.role == "weight")
                for n, v in zip("qkv", (1.0, 2.0, 3.0), strict=False)
            ]
        ),
    )
    assert m.in_proj_weight[:, 0].tolist() == [1, 1, 2, 2, 3, 3]


def test_an_interrupt_puts_everything_back():
    m = build(lambda: MLP(4, 2, (3,)))
    before = copy.deepcopy(m.state_dict())

    def stop(*_):
        raise KeyboardInterrupt

    m.output.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        initialize(m, "lsuv", X=batch(20, 4))
    assert all(torch.equal(v, before[n]) for n, v in m.state_dict().items())


def test_large_networks_of_unsure_draws():
    m = build(lambda: nn.ModuleDict({"a": nn.Linear(4097, 4096, bias=False), "b": nn.Linear(3, 3, bias=False)}))
    before = m["a"].weight[0].detach().clone()

    def fails(t):
        if t.shape == (3, 3):
            raise RuntimeError
        t.fill_(7.0)

    with pytest.raises(ValueError, match="failed on a tensor of shape"):
        initialize(m, fails)
    assert torch.equal(m["a"].weight[0], before)


def test_standard_deviations_before_and_after():
    m = build(lambda: nn.Linear(40, 30))
    std = float(m.weight.detach().std(correction=0))
    assert record(m, "he_normal").loc["weight", "std_before"] == pytest.approx(std, rel=1e-5)


def test_biases_of_normalisations_stay():
    m = build(lambda: nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.PReLU()))
    r = record(m, "he_normal", bias_initializer="ones")
    assert not m[1].bias.any()
    assert not r.loc["1.bias", "touched"]
    assert bool((m[0].bias == 1).all())


def test_an_output_initializer_leaves_biases():
    m = build(lambda: MLP(3, 2, (4,)))
    record(m, "he_normal", output_initializer="ones")
    assert not m.output.bias.any()


def test_the_same_object_refines_once():
    X, y = batch(40, 6), torch.arange(40) % 3
    s = GradInit(n_steps=2)
    assert (
        record(build(lambda: MLP(6, 3, (8,))), s, output_initializer=s, X=X, y=y)
        .loc["output.weight", "why"]
        .count("times")
        == 1
    )


def test_unknown_parameters_of_known_layers():
    class More(nn.LSTM):
        def __init__(self):
            super().__init__(3, 4)
            self.extra = nn.Parameter(torch.ones(3, 3))

    m = build(More)
    r = record(m, "he_normal")
    assert not r.loc["extra", "touched"]
    assert bool((m.extra == 1).all())


def ende(n, d):
    return nn.ModuleDict({"embed": nn.Embedding(400, 32), "t": nn.Transformer(32, 4, n, d, 64, batch_first=True)})


@pytest.mark.parametrize(("n", "d"), [(2, 3), (4, 2)])
def test_embeddings_belong_to_the_stack(n, d):
    m = build(lambda: ende(n, d))
    record(m, "t_fixup")
    assert variance_fits(m["embed"].weight, (9 * d) ** -0.5 / 32)


def untraceable(*kinds):
    """Build a network of the layers that the functions make, with a decision that torch.fx cannot take."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList([kind() for kind in kinds])

        def forward(self, x):
            if x.sum() > 0:
                x = x + 0
            for p in self.parts:
                x = p(x)
            return x

    return build(Net)


def square(width=3):
    return lambda: nn.Linear(width, width)


def test_activations_across_parts():
    m = untraceable(square(), nn.Tanh, square(), nn.ReLU, square())
    found = record(m, "auto")["initializer"]
    assert found["parts.0.weight"] == "GlorotUniform()"
    assert "relu" in found["parts.2.weight"]
    assert found["parts.4.weight"] == "LeCunNormal()"


def test_places_across_parts():
    m = untraceable(square(100), square(100))
    record(m, "siren")
    assert 0.9 / 100 < float(m.parts[0].weight.detach().abs().max()) <= 1 / 100


def test_activations_inside_of_transformer_layers():
    m = build(lambda: nn.TransformerEncoderLayer(8, 2, 16, activation="gelu"))
    assert "gelu" in record(m, "auto").loc["linear1.weight", "initializer"]


def test_activations_end_at_the_next_layer():
    m = build(lambda: nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)))
    assert record(m, "auto").loc["0.weight", "initializer"] == "LeCunNormal()"


class WithAttention(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        self.stem, self.head = nn.Linear(40, 40), nn.Linear(40, 3)
        self.a = nn.ModuleList(nn.MultiheadAttention(40, 4) for _ in range(n))

    def forward(self, x):
        x = self.stem(x)
        for a in self.a:
            x = x + a(x, x, x, need_weights=False)[0]
        return self.head(x)


def test_attention_is_two_layers():
    m = build(WithAttention)
    record(m, "fixup")
    # two layers to a branch: values times L^(-1/2), output projection 0
    assert not m.a[0].out_proj.weight.any()
    assert variance_fits(m.a[0].in_proj_weight, 2 / 40 / 4)


def test_positions_of_attention():
    m = build(WithAttention)
    record(m, "gpt2")
    assert variance_fits(m.a[0].in_proj_weight, 0.02**2)
    assert variance_fits(m.a[0].out_proj.weight, 0.02**2 / 4)


def test_activations_with_arguments():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(200, 200), nn.Linear(200, 2)

        def forward(self, x):
            return self.b(functional.leaky_relu(self.a(x), 0.8))

    m = build(Net)
    record(m, "auto")
    assert variance_fits(m.a.weight, 2 / (1 + 0.64) / 200)


def test_additions_in_place():
    class Net(Res):
        def forward(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x += block[1](torch.relu(block[0](x)))
            return self.head(x)

    m = build(Net)
    record(m, "zero_last_in_branch")
    assert not any(bool(b[1].weight.any()) for b in m.blocks)


def test_normalisations_before_a_branch():
    # A norm in front of a branch's layers ends nothing: its scale stays 1 and the last layer becomes 0.
    class Net(Res):
        def __init__(self):
            super().__init__(norm=nn.LayerNorm, depth=1)

        def forward(self, x):
            x = self.stem(x)
            for block, norm in zip(self.blocks, self.norms, strict=False):
                x = x + block[0](norm(x))
            return self.head(x)

    m = build(Net)
    record(m, "zero_last_in_branch")
    assert all(bool((n.weight == 1).all()) for n in m.norms)
    assert not any(bool(b[0].weight.any()) for b in m.blocks)


def test_normalisations_within_a_branch():
    # conv - norm - conv without a norm at the end: the last layer is what becomes 0.
    class Net(Res):
        def __init__(self):
            super().__init__(norm=nn.LayerNorm)

        def forward(self, x):
            x = self.stem(x)
            for block, norm in zip(self.blocks, self.norms, strict=False):
                x = x + block[1](torch.relu(norm(block[0](x))))
            return self.head(x)

    m = build(Net)
    record(m, "zero_last_in_branch")
    assert not any(bool(b[1].weight.any()) for b in m.blocks)
    assert all(bool((n.weight == 1).all()) for n in m.norms)


def test_branches_within_branches():
    # A branch that has branches of its own: inner layers count with the inner branch.
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b, self.c, self.head = (nn.Linear(100, 100) for _ in range(5))

        def forward(self, x):
            x = self.stem(x)
            y = torch.relu(self.a(x))
            y = y + self.b(y)
            return self.head(x + self.c(torch.relu(y)))

    m = build(Net)
    record(m, DepthScaledResidual(RandomNormal(1.0)))
    assert variance_fits(m.b.weight, 1 / 2)
    assert variance_fits(m.c.weight, 1 / 2)
    assert variance_fits(m.a.weight, 1)


def test_modules_that_are_not_looked_into():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.enc, self.head = nn.Linear(8, 8), nn.TransformerEncoderLayer(8, 2, 16), nn.Linear(8, 3)

        def forward(self, x):
            return torch.tanh(self.head(self.enc(self.stem(x))))

    m = build(Net)
    assert record(m, "auto").loc["stem.weight", "initializer"] == "LeCunNormal()"


def test_towers_are_no_branches():
    # Two towers of layers that are added are no residual branch.
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b, self.c, self.d, self.e, self.head = (nn.Linear(8, 8) for _ in range(7))

        def forward(self, x):
            x = self.stem(x)
            return self.head(self.b(torch.relu(self.a(x))) + self.e(torch.relu(self.d(torch.relu(self.c(x))))))

    with pytest.raises(InvalidParameterError, match="no residual branch"):
        record(build(Towers), "fixup")


def test_equal_sides_are_no_branches():
    class Equal(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b, self.head = (nn.Linear(8, 8) for _ in range(4))

        def forward(self, x):
            x = self.stem(x)
            return self.head(self.a(x) + self.b(x))

    with pytest.raises(InvalidParameterError, match="no residual branch"):
        record(build(Equal), "fixup")


def test_multiples_in_place():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(200, 200), nn.Linear(200, 2)

        def forward(self, x):
            h = self.a(x)
            h *= 3.0
            return self.b(torch.relu(h))

    m = build(Net)
    record(m, "auto")
    assert variance_fits(m.a.weight, 2 / 9 / 200)


def test_negative_factors_of_sines():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (nn.Linear(200, 200) for _ in range(3))

        def forward(self, x):
            return self.c(torch.sin(-7 * self.b(torch.sin(-7 * self.a(x)))))

    assert record(build(Net), "auto").loc["b.weight", "initializer"] == "Siren(omega_0=7.0)"
