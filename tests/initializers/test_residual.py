"""Initializers of residual networks and transformers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from initsk import initialize
from initsk.initializers import (
    DepthScaledResidual,
    Fixup,
    HeNormal,
    MaximalUpdate,
    RandomNormal,
    TFixup,
    ZeroLastInBranch,
)
from initsk.network import MLP
from tests.helpers import build, record, variance_fits
from tests.initializers.support import Decoder


class Block(nn.Module):
    def __init__(self, width, normalized=True, projected=False):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.norm1, self.norm2 = (nn.BatchNorm2d(width) if normalized else nn.Identity() for _ in range(2))
        self.shortcut = nn.Conv2d(width, width, 1) if projected else nn.Identity()

    def forward(self, x):
        out = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, n_blocks=4, normalized=True):
        super().__init__()
        self.stem = nn.Conv2d(3, 20, 3)
        self.blocks = nn.Sequential(*(Block(20, normalized, projected=i == 1) for i in range(n_blocks)))
        self.head = nn.Linear(20, 10)

    def forward(self, x):
        return self.head(self.blocks(torch.relu(self.stem(x))).mean(dim=(2, 3)))


def test_zero_last_in_branch_with_normalization():
    module = build(ResNet)
    found = record(module, "zero_last_in_branch")
    for block in module.blocks:
        assert block.norm2.weight.abs().sum() == 0
        assert (block.norm1.weight == 1).all()
        assert block.conv2.weight.abs().sum() > 0
    assert found["touched"].sum() == 4 + len([name for name in found.index if "norm" not in name])
    # The block then returns the rectified shortcut.
    x = torch.rand(2, 20, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module.blocks[0](x), x)


def test_zero_last_in_branch_without_normalization():
    module = build(lambda: ResNet(normalized=False))
    record(module, ZeroLastInBranch("orthogonal"))
    for block in module.blocks:
        assert block.conv2.weight.abs().sum() == 0
        assert block.conv1.weight.abs().sum() > 0
    assert module.blocks[1].shortcut.weight.abs().sum() > 0


def test_fixup():
    module = build(lambda: ResNet(n_blocks=16, normalized=False))
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
def test_networks_without_branches_or_transformer_layers_raise(scheme):
    module = build(lambda: MLP(3, 2, (4,)))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ValueError, match=r"found no .* in the module"):
        initialize(module, scheme)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_output_and_bias_initializers():
    module = build(Decoder)
    found = record(module, "he_normal", output_initializer=RandomNormal(0.5), bias_initializer="ones")
    assert found.loc["head.weight", "initializer"] == "RandomNormal(std=0.5)"
    assert (found["initializer"] == "RandomNormal(std=0.5)").sum() == 1
    assert (module.head.bias == 1).all()
    assert (module.blocks[0].up.bias == 1).all()
