"""Networks for diffusion models, of diffusers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tests.zoo.table import Architecture, images, values

U_NET = {
    "sample_size": 16, "layers_per_block": 1, "block_out_channels": (16, 32), "norm_num_groups": 8,
    "attention_head_dim": 8,
}  # fmt: skip
HEADS = {"num_attention_heads": 2, "attention_head_dim": 8}


def model(name: str, **settings: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import diffusers

        return getattr(diffusers, name)(**settings)

    return build


def zero_initialized_dit() -> nn.Module:
    """Return a DiT whose adaptive normalization and output begin at zero, as in its paper; diffusers leaves it out."""
    module = model(
        "DiTTransformer2DModel", in_channels=4, num_layers=2, sample_size=8, num_embeds_ada_norm=10, **HEADS
    )()
    for name, layer in module.named_modules():
        if name.endswith("norm1.linear") or name in ("proj_out_1", "proj_out_2"):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    return module


def steps() -> torch.Tensor:
    return torch.tensor([1, 500])


def joint_inputs() -> dict[str, Any]:
    """Return the text, its pooled form and the time, which the joint transformers take beside the image."""
    return {
        "encoder_hidden_states": values(2, 5, 16), "pooled_projections": values(2, 8), "timestep": steps().float(),
    }  # fmt: skip


def row(
    name: str,
    build: Callable[[], nn.Module],
    inputs: Callable[[], Any],
    branches: int,
    depth: int,
    activations: tuple[str, ...],
    kept: tuple[str, ...] = (),
) -> Architecture:
    return Architecture(name, "diffusion", "diffusers", build, inputs, branches, depth, activations, kept)


ROWS = [
    # Residual blocks: 2 down, 2 in the middle, 4 up; attentions: 1, 1 and 2. The first convolution is concatenated to
    # the last block, whose shortcut is a projection; the last convolution follows.
    row(
        "UNet2DModel",
        model(
            "UNet2DModel", down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"), **U_NET,
        ),
        lambda: {"sample": images(16)(), "timestep": steps()}, 8 + 4, 3, ("silu",),
    ),
    # The same residual blocks, and four transformers with three branches and a skip around each transformer.
    row(
        "UNet2DConditionModel",
        model(
            "UNet2DConditionModel", down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=16, **U_NET,
        ),
        lambda: {"sample": images(16, 4)(), "timestep": steps(), "encoder_hidden_states": values(2, 5, 16)},
        8 + 4 * 4, 3, ("silu", "gelu"),
    ),
    row(
        "DiTTransformer2DModel", zero_initialized_dit,
        lambda: {"hidden_states": images(8, 4)(), "timestep": steps(), "class_labels": torch.tensor([3, 7])},
        2 * 2, 2, ("silu", "gelu"), ("*.norm1.linear.*", "proj_out_[12].*"),
    ),
    # Encoder: two convolutions at its ends, one that reduces, one projection, and one to the moments; the decoder
    # mirrors them. Residual blocks: 2 + 2 and 2 + 4; one attention in the middle of each half.
    row(
        "AutoencoderKL",
        model(
            "AutoencoderKL", down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8,
        ),
        images(16), (4 + 1) + (6 + 1), 5 + 5, ("silu",),
    ),
    # A double block has two branches for the image and two for the text; a single block has one for both.
    row(
        "FluxTransformer2DModel",
        model(
            "FluxTransformer2DModel", in_channels=4, num_layers=1, num_single_layers=1, joint_attention_dim=16,
            pooled_projection_dim=8, axes_dims_rope=(2, 2, 4), **HEADS,
        ),
        lambda: joint_inputs() | {
            "hidden_states": values(2, 16, 4), "img_ids": torch.arange(48.0).view(16, 3), "txt_ids": torch.zeros(5, 3),
        },
        4 + 1, 2, ("silu", "gelu"),
    ),
    # The last block updates the image only.
    row(
        "SD3Transformer2DModel",
        model(
            "SD3Transformer2DModel", sample_size=8, in_channels=4, num_layers=2, joint_attention_dim=16,
            caption_projection_dim=16, pooled_projection_dim=8, out_channels=4, pos_embed_max_size=8, **HEADS,
        ),
        lambda: joint_inputs() | {"hidden_states": images(8, 4)()}, 4 + 2, 2, ("silu", "gelu"),
    ),
]  # fmt: skip
