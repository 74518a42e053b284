"""Language models of transformers, built from small configurations."""

from collections.abc import Callable
from typing import Any

from torch import nn

from tests.zoo.table import Architecture, token_ids


def model(name: str, config: str, **settings: Any) -> Callable[[], nn.Module]:
    """Return a builder of a model with random weights from the settings of its configuration."""

    def build() -> nn.Module:
        import transformers

        return getattr(transformers, name)(getattr(transformers, config)(**settings))

    return build


# Two blocks of width 32, in the words of most configurations and in those of GPT-2.
SIZES = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "max_position_embeddings": 64,
}  # fmt: skip
# Without the cache of keys and values, the scores are the only output.
DECODER: dict[str, Any] = SIZES | {"use_cache": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
GROUPED = DECODER | {"num_key_value_heads": 2}
OLD = {"vocab_size": 99, "use_cache": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def ids() -> dict[str, Any]:
    return {"input_ids": token_ids()}


def row(
    name: str,
    config: str,
    settings: dict[str, Any],
    activations: tuple[str, ...],
    *,
    branches: int = 4,
    family: str = "language model",
    **facts: Any,
) -> Architecture:
    """Return a language model: its shortest path has the embedding and the head."""
    facts = {"branches": branches, "depth": 2, "activations": activations} | facts
    return Architecture(name, family, "transformers", model(name, config, **settings), ids, **facts)


MOE, STATE = "mixture of experts", "state space"
ROWS = [
    row("GPT2LMHeadModel", "GPT2Config", OLD | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}, ("gelu",)),
    row(
        "GPTNeoForCausalLM", "GPTNeoConfig",
        OLD | {
            "hidden_size": 32, "num_layers": 2, "num_heads": 4, "max_position_embeddings": 64,
            "attention_types": [[["global", "local"], 1]], "window_size": 4,
        },
        ("gelu",),
    ),
    # Attention and MLP are parallel in three of these models, so a block has one addition.
    row("GPTNeoXForCausalLM", "GPTNeoXConfig", DECODER, ("gelu",), branches=2),
    row("PhiForCausalLM", "PhiConfig", DECODER, ("gelu",), branches=2),
    row(
        "FalconForCausalLM", "FalconConfig",
        OLD | {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}, ("gelu",), branches=2,
    ),
    row("LlamaForCausalLM", "LlamaConfig", GROUPED, ("silu",)),
    row("MistralForCausalLM", "MistralConfig", GROUPED, ("silu",)),
    row("Qwen2ForCausalLM", "Qwen2Config", GROUPED, ("silu",)),
    # The weights of the normalization begin at zero, because the layer multiplies by one plus the weight.
    row(
        "GemmaForCausalLM", "GemmaConfig", GROUPED | {"head_dim": 8}, ("gelu",),
        kept=("model.layers.*layernorm.weight", "model.norm.weight"),
    ),
    row(
        "OPTForCausalLM", "OPTConfig",
        OLD | {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64,
            "max_position_embeddings": 64, "word_embed_proj_dim": 32,
        },
        ("relu",),
    ),
    # GELU as a function with a derivative of its own (torch.autograd.Function) in training.
    row("BloomForCausalLM", "BloomConfig", OLD | {"hidden_size": 32, "n_layer": 2, "n_head": 4}, ("gelu",)),
    row("MptForCausalLM", "MptConfig", OLD | {"d_model": 32, "n_layers": 2, "n_heads": 4}, ("gelu",)),
    # Weights of attention are parameters of shape (model, heads, size of a head), used by einsum.
    row(
        "XLNetLMHeadModel", "XLNetConfig",
        {"vocab_size": 99, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64, "use_mems_eval": False}, ("gelu",),
        left_reason="`seg_embed`, `r_s_bias` and `mask_emb` need segments or targets to predict, which are not given",
    ),
    row(
        "XLMWithLMHeadModel", "XLMConfig",
        {"vocab_size": 99, "emb_dim": 32, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 64}, ("gelu",),
    ),
    # Experts are tensors of shape (experts, out, in); only those that the router chooses run.
    row(
        "MixtralForCausalLM", "MixtralConfig", GROUPED | {"num_local_experts": 4}, ("silu",), family=MOE,
    ),
    # Experts of shape (experts, in, out) with interleaved gates.
    row(
        "GptOssForCausalLM", "GptOssConfig",
        GROUPED | {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8},
        ("quick_gelu",), family=MOE,
    ),
    # A sigmoid function gates the shared expert.
    row(
        "Qwen2MoeForCausalLM", "Qwen2MoeConfig",
        GROUPED | {
            "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 32,
        },
        ("silu", "sigmoid"), family=MOE,
    ),
    row(
        "MambaForCausalLM", "MambaConfig",
        OLD | {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "time_step_rank": 4},
        ("silu", "softplus"), branches=2, family=STATE,
        kept=("*.A_log", "*.D"), own_distribution=("*.dt_proj.bias",),
    ),
    row(
        "Mamba2ForCausalLM", "Mamba2Config",
        OLD | {
            "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "num_heads": 8, "head_dim": 8, "n_groups": 2,
            "chunk_size": 4,
        },
        ("silu", "softplus"), branches=2, family=STATE,
        kept=("*.A_log", "*.D"), own_distribution=("*.dt_bias",),
    ),
    # In evaluation mode, the first forward pass halves weights of the second block in place.
    row(
        "RwkvForCausalLM", "RwkvConfig",
        OLD | {"hidden_size": 32, "num_hidden_layers": 2, "context_length": 64, "rescale_every": 1},
        ("sigmoid", "relu_squared"), family="recurrent", kept=("*.time_*",),
    ),
]  # fmt: skip
