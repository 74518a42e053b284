"""Schemes that read the network: activations, residual branches, transformers, widths."""

from math import pi, sqrt

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from initsk import initialize, theory
from initsk.initializers import (
    DepthScaledResidual,
    EdgeOfChaos,
    Fixup,
    HeNormal,
    MaximalUpdate,
    RandomNormal,
    Siren,
    TFixup,
    ZeroLastInBranch,
)
from initsk.network import MLP
from tests.helpers import build, record, variance_fits


class Block(nn.Module):
    def __init__(self, width, normalised=True, projected=False):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.norm1, self.norm2 = (nn.BatchNorm2d(width) if normalised else nn.Identity() for _ in range(2))
        self.shortcut = nn.Conv2d(width, width, 1) if projected else nn.Identity()

    def forward(self, x):
        out = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, n_blocks=4, normalised=True):
        super().__init__()
        self.stem = nn.Conv2d(3, 20, 3)
        self.blocks = nn.Sequential(*(Block(20, normalised, projected=i == 1) for i in range(n_blocks)))
        self.head = nn.Linear(20, 10)

    def forward(self, x):
        return self.head(self.blocks(torch.relu(self.stem(x))).mean(dim=(2, 3)))


class Decoder(nn.Module):
    """GPT-like blocks; the check on the shape keeps it from being traced as a whole."""

    def __init__(self, depth=3, width=40):
        super().__init__()
        self.embed, self.place = nn.Embedding(50, width), nn.Embedding(8, width)
        self.blocks = nn.ModuleList([DecoderBlock(width) for _ in range(depth)])
        self.head = nn.Linear(width, 50)

    def forward(self, tokens):
        if tokens.shape[1] > 8:
            raise ValueError("too long")
        x = self.embed(tokens) + self.place(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class DecoderBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Functional(nn.Module):
    """Activation functions called as functions, methods and modules."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d, self.e = (nn.Linear(100, 100) for _ in range(5))
        self.leaky = nn.LeakyReLU(0.3)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        x = F.gelu(self.drop(self.a(x)))
        x = self.b(x).tanh()
        x = self.leaky(self.c(x))
        x = torch.sin(30 * self.d(x))
        return self.e(x)


def test_auto_gives_every_layer_what_suits_it():
    module = build(Functional)
    found = record(module, "auto")["initializer"]
    assert variance_fits(module.a.weight, theory.gain("gelu") ** 2 / 100)
    assert found["b.weight"] == "GlorotUniform()"
    assert variance_fits(module.c.weight, 2 / (1 + 0.3**2) / 100)
    assert found["d.weight"] == "Siren()"
    assert found["e.weight"] == "LeCunNormal()"


class Sines(nn.Module):
    """A sine network, and a layer with a plain sine."""

    def __init__(self, omega=7):
        super().__init__()
        self.first, self.second, self.plain, self.last = (nn.Linear(300, 300) for _ in range(4))
        self.omega = omega

    def forward(self, x):
        x = torch.sin(self.omega * self.first(x))
        x = torch.sin(self.second(x) * self.omega)
        return self.last(torch.sin(self.plain(x)))


def test_auto_reads_the_factor_of_a_sine():
    module = build(Sines)
    found = record(module, "auto")["initializer"]
    assert found[["first.weight", "first.bias", "second.weight"]].tolist() == ["Siren(omega_0=7.0)"] * 3
    # The inputs of later sines keep variance 1: 7^2 Var(W) n E[sin^2], where the mean square of a sine is about 1 / 2.
    assert variance_fits(module.second.weight, 2 / 300 / 49)
    assert variance_fits(module.plain.weight, theory.gain("sin") ** 2 / 300)
    assert not module.plain.bias.any()


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("relu6", "VarianceScaling(activation='relu6')"),
        ("hardtanh", "GlorotUniform()"),
        ("sigmoid", "GlorotUniform()"),
    ],
)
def test_auto_tells_saturation_from_a_bound_far_away(activation, expected):
    found = record(build(lambda: MLP(3, 2, (4,), activation=activation)), "auto")["initializer"]
    assert found["hidden_1.weight"] == expected


def test_gain_of_a_multiple():
    # 3 relu(x) = relu(3 x): a third of the gain.
    class Tripled(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(200, 200), nn.Linear(200, 2)

        def forward(self, x):
            return self.b(torch.relu(3.0 * self.a(x)))

    module = build(Tripled)
    record(module, "auto")
    assert variance_fits(module.a.weight, 2 / 9 / 200)


@pytest.mark.parametrize("activation", ["relu", "selu", "elu", "silu", "mish"])
def test_auto_keeps_the_mean_square_after_any_activation(activation):
    module = build(lambda: MLP(300, 10, (400,), activation=activation))
    record(module, "auto")
    # The mean square after the activation function, by a plain sum over the normal density.
    x = torch.linspace(-10, 10, 400_001, dtype=torch.float64)
    density = torch.exp(-x.square() / 2) / sqrt(2 * pi) * (x[1] - x[0])
    mean_square = float((module.activation_1(x).square() * density).sum())
    assert variance_fits(module.hidden_1.weight, 1 / mean_square / 300)


def test_auto_in_recurrent_and_attention_layers():
    found = record(build(lambda: nn.GRU(10, 20)), "auto")["initializer"]
    assert found["weight_ih_l0"] == "GlorotUniform()"
    assert found["weight_hh_l0"] == "Orthogonal()"
    found = record(build(lambda: nn.MultiheadAttention(8, 2)), "auto")["initializer"]
    assert found["in_proj_weight"] == found["out_proj.weight"] == "GlorotUniform()"


def test_auto_where_the_forward_cannot_be_traced():
    found = record(build(Decoder), "auto")["why"]
    assert "gelu" in found["blocks.1.up.weight"]
    assert found["head.weight"].startswith("output layer; its surroundings by the order of registration")
    assert found["embed.weight"] == "embedding"


@pytest.mark.parametrize(
    ("activation", "given", "expected", "bias_variance"),
    [("tanh", 0.05, 1.760955, 0.05), ("relu", None, 2.0, 0.0), ("gelu", None, 1.983058, 0.172922)],
)
def test_edge_of_chaos(activation, given, expected, bias_variance):
    module = build(lambda: MLP(300, 10, (400, 300), activation=activation))
    found = record(module, EdgeOfChaos(bias_variance=given))
    assert variance_fits(module.hidden_1.weight, expected / 300)
    assert variance_fits(module.hidden_2.weight, expected / 400)
    assert variance_fits(module.output.weight, 1 / 300)  # it feeds no activation function
    assert variance_fits(module.hidden_1.bias, bias_variance)
    assert found.loc["output.bias", "std_after"] == 0


def test_edge_of_chaos_says_where_there_is_none():
    module = build(lambda: MLP(3, 2, (4,)))
    with pytest.raises(ValueError, match=r"relu.*no stable critical point.*None, which means 0.*hidden_1"):
        initialize(module, EdgeOfChaos(bias_variance=0.1))


def test_siren_treats_the_first_layer_apart():
    module = build(lambda: MLP(200, 3, (300, 300)))
    record(module, Siren(omega_0=10.0))
    first, second = module.hidden_1.weight.detach().abs().max(), module.hidden_2.weight.detach().abs().max()
    assert 0.99 / 200 < float(first) <= 1 / 200
    # Without biases a sine network is an odd function; torch's own are U(-1 / sqrt(n), 1 / sqrt(n)).
    assert 0.95 / sqrt(300) < float(module.hidden_2.bias.detach().abs().max()) <= 1 / sqrt(300)
    assert 0.99 * sqrt(6 / 300) / 10 < float(second) <= sqrt(6 / 300) / 10


def test_zero_last_in_branch_with_normalisation():
    module = build(ResNet)
    found = record(module, "zero_last_in_branch")
    for block in module.blocks:
        assert block.norm2.weight.abs().sum() == 0
        assert (block.norm1.weight == 1).all()
        assert block.conv2.weight.abs().sum() > 0
    assert found["touched"].sum() == 4 + len([name for name in found.index if "norm" not in name])
    # What remains of a block is the rectified shortcut.
    x = torch.rand(2, 20, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module.blocks[0](x), x)


def test_zero_last_in_branch_without_normalisation():
    module = build(lambda: ResNet(normalised=False))
    record(module, ZeroLastInBranch("orthogonal"))
    for block in module.blocks:
        assert block.conv2.weight.abs().sum() == 0
        assert block.conv1.weight.abs().sum() > 0
    assert module.blocks[1].shortcut.weight.abs().sum() > 0


def test_fixup():
    module = build(lambda: ResNet(n_blocks=16, normalised=False))
    record(module, Fixup())
    fan_in = 20 * 9
    for block in module.blocks:
        assert block.conv2.weight.abs().sum() == 0
        assert variance_fits(block.conv1.weight, 2 / fan_in / 16)  # 16 ** (-1 / (2 * 2 - 2)) is a quarter
    assert variance_fits(module.stem.weight, 2 / 27)
    assert variance_fits(module.blocks[1].shortcut.weight, 2 / 20)
    assert module.head.weight.abs().sum() == 0


def test_gpt2():
    module = build(Decoder)
    record(module, "gpt2")
    std = 0.02
    for block in module.blocks:
        assert variance_fits(block.qkv.weight, std**2)
        assert variance_fits(block.up.weight, std**2)
        assert variance_fits(block.proj.weight, std**2 / 6)  # three blocks of two branches
        assert variance_fits(block.down.weight, std**2 / 6)
    assert variance_fits(module.embed.weight, std**2)
    assert variance_fits(module.head.weight, std**2)


def test_depth_scaled_residual_with_another_base():
    module = build(Decoder)
    record(module, DepthScaledResidual(HeNormal()))
    assert variance_fits(module.blocks[0].proj.weight, 2 / 40 / 6)
    assert variance_fits(module.blocks[0].qkv.weight, 2 / 40)


def encoder_decoder(width=32, n_encoder=2, n_decoder=3):
    parts = {
        "embed": nn.Embedding(40, width),
        "transformer": nn.Transformer(width, 4, n_encoder, n_decoder, 64, batch_first=True),
        "head": nn.Linear(width, 40),
    }
    return nn.ModuleDict(parts)


def test_t_fixup():
    module = build(encoder_decoder)
    record(module, TFixup())
    glorot = {(32, 32): 1 / 32, (64, 32): 2 / 96, (32, 64): 2 / 96}
    encoder, decoder = 0.67**2 * 2**-0.5, 27**-0.5
    for layer in module["transformer"].encoder.layers:
        q, k, v = layer.self_attn.in_proj_weight.chunk(3)
        assert variance_fits(torch.cat([q, k]), glorot[32, 32] / 2)
        assert variance_fits(v, glorot[32, 32] * encoder)
        assert variance_fits(layer.self_attn.out_proj.weight, glorot[32, 32] * encoder)
        assert variance_fits(layer.linear1.weight, glorot[64, 32] * encoder)
    for layer in module["transformer"].decoder.layers:
        for attention in (layer.self_attn, layer.multihead_attn):
            assert variance_fits(attention.in_proj_weight.chunk(3)[2], glorot[32, 32] * decoder)
        assert variance_fits(layer.linear2.weight, glorot[32, 64] * decoder)
    assert variance_fits(module["embed"].weight, decoder / 32)
    assert variance_fits(module["head"].weight, 2 / 72)


def test_branches_inside_of_torchs_transformer_layers():
    module = build(encoder_decoder)
    record(module, "gpt2")
    branches = 2 * 2 + 3 * 3
    assert variance_fits(module["transformer"].decoder.layers[0].linear2.weight, 0.02**2 / branches)
    assert variance_fits(module["transformer"].encoder.layers[0].self_attn.out_proj.weight, 0.02**2 / branches)
    assert variance_fits(module["transformer"].encoder.layers[0].linear1.weight, 0.02**2)


def test_maximal_update():
    widths = (128, 512)
    modules = [build(lambda width=width: MLP(30, 10, (width, width))) for width in widths]
    for module in modules:
        record(module, MaximalUpdate(base_width=128))
    for module, width in zip(modules, widths, strict=True):
        assert variance_fits(module.hidden_2.weight, 1 / width)
        assert variance_fits(module.output.weight, 128 / width**2)
    record(modules[1], "mup")
    assert variance_fits(modules[1].output.weight, 1 / 512**2)


@pytest.mark.parametrize("scheme", [Fixup(), ZeroLastInBranch(), DepthScaledResidual(), TFixup()], ids=str)
def test_schemes_refuse_networks_that_they_are_not_for(scheme):
    module = build(lambda: MLP(3, 2, (4,)))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ValueError, match=r"found no .* in the module"):
        initialize(module, scheme)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_output_layer_has_its_own_choice():
    module = build(Decoder)
    found = record(module, "he_normal", output_initializer=RandomNormal(0.5), bias_initializer="ones")
    assert found.loc["head.weight", "initializer"] == "RandomNormal(std=0.5)"
    assert (found["initializer"] == "RandomNormal(std=0.5)").sum() == 1
    assert (module.head.bias == 1).all()
    assert (module.blocks[0].up.bias == 1).all()


def test_tracing_moves_nothing():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(x) + torch.rand(3)

    module = build(Noisy)
    before = torch.get_rng_state()
    record(module, "auto")
    assert torch.equal(torch.get_rng_state(), before)
