"""Adapters of peft on small language models, and a module of Lightning."""

from typing import Any

import torch
from torch import nn

from tests.zoo.table import Architecture, values
from tests.zoo.transformers_nets import GROUPED, OLD, ids, model

GPT2 = OLD | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}


def lora_on_gpt2() -> nn.Module:
    from peft import LoraConfig, get_peft_model

    base: Any = model("GPT2LMHeadModel", "GPT2Config", **GPT2)()
    return get_peft_model(base, LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True))


def lora_on_llama() -> nn.Module:
    from peft import LoraConfig, get_peft_model

    base: Any = model("LlamaForCausalLM", "LlamaConfig", **GROUPED)()
    return get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))


def ia3_on_llama() -> nn.Module:
    from peft import IA3Config, get_peft_model

    base: Any = model("LlamaForCausalLM", "LlamaConfig", **GROUPED)()
    names = {"target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]}
    return get_peft_model(base, IA3Config(**names))


def lightning_mlp() -> nn.Module:
    from lightning import LightningModule

    class LitMLP(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
            self.example_input_array = values(2, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x)

        def training_step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    return LitMLP()


def adapter(name: str, build: Any, activation: str, kept: str) -> Architecture:
    """Return an adapter on two blocks: it adds to a layer's output or scales it, and makes no branch of its own."""
    return Architecture(name, "adapter", "peft", build, ids, 4, 2, (activation,), (kept,))


ROWS = [
    adapter("LoRA on GPT-2", lora_on_gpt2, "gelu", "*.lora_B.*"),
    adapter("LoRA on Llama", lora_on_llama, "silu", "*.lora_B.*"),
    adapter("IA3 on Llama", ia3_on_llama, "silu", "*.ia3_l.*"),
    Architecture("LightningModule", "MLP", "lightning", lightning_mlp, lambda: values(2, 8), 0, 3, ("relu",)),
]
