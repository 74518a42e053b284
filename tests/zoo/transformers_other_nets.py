"""Encoders, encoder-decoders, and networks for images and sound of transformers, built from small configurations."""

from collections.abc import Callable
from typing import Any

from torch import nn

from tests.zoo.table import Architecture, images, token_ids, values
from tests.zoo.transformers_nets import SIZES, ids, model

IMAGE = {key: value for key, value in SIZES.items() if key not in ("vocab_size", "max_position_embeddings")} | {
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
ENCODER_DECODER = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 99, "use_cache": False,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
}  # fmt: skip


def both_ids() -> dict[str, Any]:
    return {"input_ids": token_ids(), "decoder_input_ids": token_ids(length=5)}


def clip() -> nn.Module:
    from transformers import CLIPConfig, CLIPModel

    text = SIZES | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=IMAGE, projection_dim=16))


def detr() -> nn.Module:
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    sizes = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1]}
    backbone = ResNetConfig(layer_type="basic", out_features=["stage2"], **sizes)
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    layers = {"encoder_layers": 1, "decoder_layers": 1, "d_model": 32, "num_queries": 5, "num_labels": 3}
    return DetrForObjectDetection(DetrConfig(backbone_config=backbone, use_timm_backbone=False, **layers, **heads))


def row(
    name: str,
    family: str,
    build: Callable[[], nn.Module],
    inputs: Callable[[], Any],
    branches: int,
    depth: int | None,
    activations: tuple[str, ...],
    **facts: Any,
) -> Architecture:
    return Architecture(name, family, "transformers", build, inputs, branches, depth, activations, **facts)


def encoder(
    prefix: str, depth: int, activations: tuple[str, ...], *, branches: int = 4, **settings: Any
) -> Architecture:
    """Return an encoder of two blocks that classifies sequences."""
    name = f"{prefix}ForSequenceClassification"
    build = model(name, f"{prefix}Config", **(settings or SIZES | {"pad_token_id": 0}))
    return row(name, "encoder", build, ids, branches, depth, activations)


ROWS = [
    # The embedding, the pooling layer and the classifier.
    encoder("Bert", 3, ("gelu", "tanh")),
    encoder("Roberta", 3, ("gelu", "tanh")),
    encoder("Electra", 3, ("gelu",), embedding_size=32, **SIZES),
    encoder(
        "DistilBert", 3, ("gelu", "relu"), vocab_size=99, dim=32, n_layers=2, n_heads=4, hidden_dim=64,
        max_position_embeddings=64,
    ),
    # The embedding is narrower than the blocks and has a projection; both blocks share their weights.
    encoder("Albert", 4, ("gelu", "tanh"), embedding_size=16, **SIZES),
    encoder("DebertaV2", 3, ("gelu",), relative_attention=True, pos_att_type=["c2p", "p2c"], **SIZES),
    encoder("Longformer", 3, ("gelu", "tanh"), attention_window=4, **(SIZES | {"pad_token_id": 0})),
    # A block mixes positions by a Fourier transform, which has no weights; a projection follows the embedding.
    encoder("FNet", 4, ("gelu", "tanh"), branches=2, pad_token_id=0, **SIZES),
    row(
        "T5ForConditionalGeneration", "encoder-decoder",
        model(
            "T5ForConditionalGeneration", "T5Config", vocab_size=99, d_model=32, d_kv=8, d_ff=64, num_layers=2,
            num_heads=4, use_cache=False, decoder_start_token_id=0,
        ),
        both_ids, 2 * 2 + 2 * 3, 2, ("relu",),
    ),
    row(
        "BartForConditionalGeneration", "encoder-decoder",
        model("BartForConditionalGeneration", "BartConfig", max_position_embeddings=64, **ENCODER_DECODER),
        both_ids, 2 * 2 + 2 * 3, 2, ("gelu",),
    ),
    # The positions of the encoder are sinusoids, stored as a parameter.
    row(
        "WhisperForConditionalGeneration", "audio",
        model(
            "WhisperForConditionalGeneration", "WhisperConfig", num_mel_bins=8, max_source_positions=10,
            max_target_positions=16, **ENCODER_DECODER,
        ),
        lambda: {"input_features": values(2, 8, 20), "decoder_input_ids": token_ids(length=5)},
        2 * 2 + 2 * 3, 2, ("gelu",), kept=("model.encoder.embed_positions.weight",),
    ),
    # Two convolutions, a projection and the head; positions come from a convolution that is added to its input.
    row(
        "Wav2Vec2ForCTC", "audio",
        model(
            "Wav2Vec2ForCTC", "Wav2Vec2Config", conv_dim=(16, 16), conv_kernel=(10, 3), conv_stride=(5, 2),
            num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, **SIZES,
        ),
        lambda: {"input_values": values(2, 400)}, 2 * 2 + 1, 2 + 1 + 1, ("gelu",),
        left_reason="`masked_spec_embed` is used in training only",
    ),
    row(
        "ViTForImageClassification", "vision transformer", model("ViTForImageClassification", "ViTConfig", **IMAGE),
        lambda: {"pixel_values": images(32)()}, 4, 2, ("gelu",),
    ),
    # The head concatenates a projection of each of the four stages.
    row(
        "SegformerForSemanticSegmentation", "vision transformer",
        model(
            "SegformerForSemanticSegmentation", "SegformerConfig", depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32],
            num_attention_heads=[1, 2, 3, 4], decoder_hidden_size=32,
        ),
        lambda: {"pixel_values": images(64)()}, 4 * 2, 4, ("gelu", "relu"),
    ),
    # Two towers, whose projections are compared.
    row(
        "CLIPModel", "vision and language", clip,
        lambda: {"pixel_values": images(32)(), "input_ids": token_ids()},
        2 * 4, 2, ("quick_gelu",), kept=("logit_scale",),
    ),
    # Two blocks of ResNet, one block of an encoder, and one of a decoder, whose residual path begins with zeros. An
    # image reaches the scores by the stem, a projection, the projection to the transformer, two layers of the
    # attention, and the classifier.
    row(
        "DetrForObjectDetection", "detection", detr, lambda: {"pixel_values": images(64)()},
        2 + 2 + 3, 1 + 1 + 1 + 2 + 1, ("relu", "sigmoid"),
    ),
]  # fmt: skip
