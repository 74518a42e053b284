"""Architectures of timm; small variants, or small sizes of larger ones."""

from collections.abc import Callable
from typing import Any

from torch import nn

from tests.zoo.table import Architecture, images

# Three transformer blocks on a grid of 4 x 4 patches.
SMALL = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2}


def create(name: str, **arguments: Any) -> Callable[[], nn.Module]:
    """Return a builder of one of timm's models, without pretrained weights."""

    def build() -> nn.Module:
        import timm

        return timm.create_model(name, pretrained=False, num_classes=10, **arguments)

    return build


def row(
    name: str,
    family: str,
    branches: int | None,
    layers: int | None,
    activations: tuple[str, ...],
    *,
    size: int = 64,
    kept: tuple[str, ...] = (),
    own_distribution: tuple[str, ...] = (),
    **arguments: Any,
) -> Architecture:
    facts: dict[str, Any] = {"branches": branches, "depth": layers, "activations": activations}
    facts |= {"kept": kept, "own_distribution": own_distribution}
    return Architecture(name, family, "timm", create(name, **arguments), images(size), **facts)


VIT, CNN, MLP = "vision transformer", "CNN", "MLP"
ROWS = [
    row("vit_tiny_patch16_224", VIT, 2 * 3, 2, ("gelu",), size=32, **SMALL),
    # Two heads, for the class token and for the distillation token; their scores are averaged.
    row("deit_tiny_distilled_patch16_224", VIT, 2 * 3, 2, ("gelu",), size=32, **SMALL),
    row(
        "beit_base_patch16_224", VIT, 2 * 3, 2, ("gelu",), size=32,
        kept=("*.gamma_1", "*.gamma_2", "*.relative_position_bias_table"), **SMALL,
    ),
    # Rotary positions, and a gated MLP.
    row("eva02_tiny_patch14_224", VIT, 2 * 3, 2, ("silu",), size=32, ref_feat_shape=(4, 4), **SMALL),
    # Two layers of class attention follow the blocks.
    row(
        "cait_xxs24_224", VIT, 2 * 3 + 2 * 2, 2, ("gelu",), size=32, kept=("*.gamma_1", "*.gamma_2"), **SMALL,
    ),
    # Four convolutions make the patches; a block has three branches, and two layers of class attention have two each.
    row(
        "xcit_nano_12_p16_224", VIT, 3 * 3 + 2 * 2, 4 + 1, ("gelu",),
        kept=("*.gamma[123]", "*.temperature"), depth=3, embed_dim=32, num_heads=2,
    ),
    # The bias of the positions comes from a small network with ReLU, followed by a sigmoid function.
    row(
        "swinv2_tiny_window8_256", VIT, 2 * 12, 1 + 3 + 1, ("gelu", "relu", "sigmoid"),
        kept=("layers.*.norm[12].weight", "*.logit_scale"), img_size=64, window_size=4, embed_dim=24,
        num_heads=(3, 3, 6, 6),
    ),
    # A block mixes positions by pooling, which has no weights, so only its MLP is a branch.
    row("poolformer_s12", VIT, 12, 1 + 3 + 1, ("gelu",), kept=("*.layer_scale[12].scale",)),
    # Four convolutions in the stem; an attention without skip between stages has two layers on its shortest path.
    row(
        "levit_128s", VIT, 2 * (2 + 3 + 4) + 2, 4 + 2 * 2 + 1, ("hardswish",), img_size=64,
        kept=("stages.*.blocks.*.attn.proj.ln.bn.weight", "*.mlp.ln2.bn.weight", "*.attention_biases"),
    ),
    # Five inverted bottlenecks, then seven transformer blocks; the shortcut of three stages has a projection.
    row("coatnet_pico_rw_224", VIT, 5 + 2 * 7, 2 + 3 + 1, ("silu", "sigmoid", "gelu"), img_size=64),
    # A block of the second kind contains an attention with a skip of its own.
    row(
        "edgenext_xx_small", VIT, 9 + 2 * 3, 1 + 3 + 1, ("gelu",),
        kept=("*.gamma", "*.gamma_xca", "*.temperature"),
    ),
    row("mixer_s32_224", MLP, 2 * 8, 2, ("gelu",), img_size=64),
    row(
        "gmlp_ti16_224", MLP, 30, 2, ("gelu",), img_size=64,
        kept=("*.gate.proj.bias",), own_distribution=("*.gate.proj.weight",),
    ),
    row("resmlp_12_224", MLP, 2 * 12, 2, ("gelu",), img_size=64, kept=("*.ls[12]", "*.alpha")),
    # A block without stride adds its input under batch normalization; the other blocks have no skip.
    row(
        "repvgg_a0", CNN, 1 + 3 + 13 + 0, 1 + 4 + 1, ("relu",),
        own_distribution=("*.bn.weight", "*.bn.bias", "*.identity.*"),
    ),
    row("gernet_s", CNN, 1 + 3 + 7 + 2 + 1, 1 + 5 + 1 + 1, ("relu",), kept=("stages.*.bn.weight",)),
    # Stem, four plain convolutions, two blocks with stride of four layers each, and three layers of the head.
    row("mobilenetv4_conv_small", CNN, 5 + 5, 1 + 4 + 2 * 4 + 3, ("relu",)),
    row("efficientnet_lite0", CNN, 9, 1 + 2 + 6 * 3 + 1 + 1, ("relu6",)),
    row("convnextv2_atto", CNN, 2 + 2 + 6 + 2, 1 + 3 + 1, ("gelu",), kept=("*.grn.weight", "*.grn.bias")),
    # No normalization: weights are standardized, and the last gain of a branch is zero. Every block has a projection.
    row("test_nfnet", CNN, 4, 4 + 4 + 1 + 1, ("silu", "relu", "sigmoid"), kept=("*.gain",)),
    # The shortcut of a block that changes the shape has two convolutions; there are five of them.
    row("ghostnet_050", CNN, 16, 1 + 5 * 2 + 3, ("relu", "hardsigmoid")),
    # Four resolutions exchange sums of their values; which of these sums are residual is a matter of definition.
    row("hrnet_w18_small", CNN, None, None, ("relu",)),
    row("res2net50_14w_8s", CNN, 16, 1 + 4 + 1, ("relu",), kept=("layer*.bn3.weight",)),
    row("regnetx_002", CNN, 13, 1 + 4 + 1, ("relu",), kept=("s*.conv3.bn.weight",)),
]  # fmt: skip
