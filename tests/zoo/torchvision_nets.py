"""Architectures of torchvision."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import nn

from tests.zoo.table import Architecture, images, values


def named(name: str, part: str = "", **arguments: Any) -> Callable[[], nn.Module]:
    """Return a builder of one of torchvision's functions, without pretrained weights."""
    return lambda: getattr(import_module(f"torchvision.models{part}"), name)(weights=None, **arguments)


def convnext() -> nn.Module:
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    blocks = [(16, 32, 3), (32, 64, 3), (64, 96, 9), (96, None, 3)]
    return ConvNeXt([CNBlockConfig(*block) for block in blocks], num_classes=10)


def swin() -> nn.Module:
    from torchvision.models import SwinTransformer

    return SwinTransformer([4, 4], 24, [2, 2, 6, 2], [3, 6, 12, 24], [7, 7], num_classes=10)


def vision_transformer() -> nn.Module:
    from torchvision.models import VisionTransformer

    return VisionTransformer(32, patch_size=8, num_layers=3, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=10)


def maxvit() -> nn.Module:
    from torchvision.models import MaxVit

    return MaxVit((64, 64), 16, 4, [16, 32], [1, 2], head_dim=8, stochastic_depth_prob=0.0, num_classes=10)


def row(
    name: str,
    branches: int,
    depth: int,
    activations: tuple[str, ...] = ("relu",),
    *,
    build: Callable[[], nn.Module] | None = None,
    size: int = 64,
    family: str = "CNN",
    kept: tuple[str, ...] = (),
) -> Architecture:
    build = build or named(name, num_classes=10)
    facts: dict[str, Any] = {"branches": branches, "depth": depth, "activations": activations, "kept": kept}
    return Architecture(name, family, "torchvision", build, images(size), **facts)


# Without its own initialization, a network is built in a fraction of the time.
QUICK = {"init_weights": False, "num_classes": 10}
NO_BACKBONE = {"weights_backbone": None, "num_classes": 5}
ROWS = [
    row("alexnet", 0, 5 + 3),
    row("vgg11", 0, 8 + 3, build=named("vgg11", **QUICK)),
    # The first convolution, one projection in each stage that changes the shape, and the classifier.
    row("resnet18", 8, 1 + 3 + 1),
    row(
        "resnet18, zero_init_residual", 8, 1 + 3 + 1,
        build=named("resnet18", zero_init_residual=True, num_classes=10), kept=("layer*.bn2.weight",),
    ),
    row("resnet50", 16, 1 + 4 + 1),
    row("wide_resnet50_2", 16, 1 + 4 + 1),
    row("resnext50_32x4d", 16, 1 + 4 + 1),
    # A dense block lets its input pass; three transitions lie between the four blocks.
    row("densenet121", 0, 1 + 3 + 1),
    # Each of the eight fire modules squeezes, and then expands in two parallel convolutions.
    row("squeezenet1_1", 0, 1 + 8 * 2 + 1),
    # Each of the nine inception modules has a branch with one convolution.
    row("googlenet", 0, 3 + 9 + 1, build=named("googlenet", aux_logits=False, **QUICK)),
    # As above, except for two reductions, where a branch only pools.
    row("inception_v3", 0, 5 + 9 + 1, build=named("inception_v3", aux_logits=False, **QUICK), size=96),
    # Blocks without a skip: one of two layers (expansion 1), and the first one in each of six stages.
    row("mobilenet_v2", 10, 1 + 2 + 6 * 3 + 1 + 1, ("relu6",)),
    row("mobilenet_v3_small", 6, 1 + 2 + 4 * 3 + 1 + 2, ("relu", "hardswish", "hardsigmoid")),
    # A unit with stride 2 has a branch of two convolutions; the other units let half of the channels pass.
    row("shufflenet_v2_x0_5", 0, 1 + 3 * 2 + 1 + 1),
    row("mnasnet0_5", 10, 3 + 6 * 3 + 1 + 1),
    row("efficientnet_b0", 9, 1 + 2 + 6 * 3 + 1 + 1, ("silu", "sigmoid")),
    row("ConvNeXt", 18, 1 + 3 + 1, ("gelu",), build=convnext, kept=("*.layer_scale",)),
    row("SwinTransformer", 2 * 12, 1 + 3 + 1, ("gelu",), build=swin, family="vision transformer"),
    row(
        "VisionTransformer", 2 * 3, 2, ("gelu",), build=vision_transformer, size=32, family="vision transformer",
        kept=("heads.head.weight", "class_token"),
    ),
    # A layer has three parts: an inverted bottleneck with one addition, and two attentions with two each.
    row(
        "MaxVit", 3 * 5, 2 + 2 + 2, ("gelu", "silu", "sigmoid", "tanh"), build=maxvit, family="vision transformer",
    ),
    row("regnet_y_400mf", 16, 1 + 4 + 1, ("relu", "sigmoid")),
    row("fcn_resnet50", 16, 1 + 4 + 2, build=named("fcn_resnet50", ".segmentation", **NO_BACKBONE)),
    # The head: one of five parallel convolutions, their projection, and two convolutions.
    row("deeplabv3_resnet50", 16, 1 + 4 + 4, build=named("deeplabv3_resnet50", ".segmentation", **NO_BACKBONE)),
    Architecture(
        "r3d_18", "video", "torchvision", named("r3d_18", ".video", num_classes=10),
        lambda: values(2, 3, 4, 32, 32), branches=8, depth=1 + 3 + 1, activations=("relu",),
    ),
]  # fmt: skip
