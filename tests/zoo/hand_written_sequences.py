"""Networks for sequences in plain torch, written by hand: attention, recurrence, embeddings, positions."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tests.zoo.table import Architecture, token_ids, values


class FusedAttention(nn.Module):
    """Attention with one projection for queries, keys and values."""

    def __init__(self, size: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        weights = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)
        return x + self.out((weights @ v).transpose(1, 2).flatten(2))


def rotate(x: torch.Tensor) -> torch.Tensor:
    """Rotate pairs of features by angles that grow with the position."""
    length, size = x.shape[-2:]
    angles = torch.outer(torch.arange(length), 100.0 ** -torch.linspace(0, 1, size // 2))
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * angles.cos() - right * angles.sin(), right * angles.cos() + left * angles.sin()], dim=-1)


class RotaryBlock(nn.Module):
    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.q, self.k, self.v, self.o = (nn.Linear(size, size, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm_1(x)
        attended = functional.scaled_dot_product_attention(
            rotate(self.q(h)), rotate(self.k(h)), self.v(h), is_causal=True
        )
        x = x + self.o(attended)
        return x + self.down(functional.gelu(self.up(self.norm_2(x))))


class RotaryLanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.blocks = nn.Embedding(99, 16), nn.Sequential(RotaryBlock(), RotaryBlock())
        self.head = nn.Linear(16, 99, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.tokens(ids)))


class WrittenGRU(nn.Module):
    """A gated recurrent unit, written with linear layers; each layer computes all three gates."""

    def __init__(self, size: int = 8) -> None:
        super().__init__()
        self.from_input, self.from_state = nn.Linear(4, 3 * size), nn.Linear(size, 3 * size)
        self.head = nn.Linear(size, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = x.new_zeros(len(x), self.from_state.in_features)
        for step in x.unbind(1):
            reset, update, new = self.from_input(step).chunk(3, dim=-1)
            reset_state, update_state, new_state = self.from_state(state).chunk(3, dim=-1)
            gate = torch.sigmoid(update + update_state)
            candidate = torch.tanh(new + torch.sigmoid(reset + reset_state) * new_state)
            state = gate * state + (1 - gate) * candidate
        return self.head(state)


class OneHot(nn.Module):
    """Integers that become one-hot vectors; a float input fails."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(99, 16), nn.Linear(16, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(functional.one_hot(ids, 99).float()).mean(1)))


class TiedEmbedding(nn.Module):
    """One tensor is both the embedding and the output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.hidden = nn.Embedding(99, 16), nn.Linear(16, 16)
        self.head = nn.Linear(16, 99, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.hidden(self.tokens(ids))))


class AddedPositions(nn.Module):
    """A parameter that is added to the tokens as their positions."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.positions = nn.Linear(4, 16), nn.Parameter(0.02 * torch.randn(1, 6, 16))
        self.attention, self.head = FusedAttention(), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.attention(self.enter(x) + self.positions).mean(1))


def row(
    name: str, family: str, build: Callable[[], nn.Module], inputs: Callable[[], Any], **facts: Any
) -> Architecture:
    return Architecture(name, family, "torch", build, inputs, **facts)


SEQUENCE_ROWS = [
    row("fused attention", "encoder", FusedAttention, lambda: values(2, 6, 16), branches=1, depth=0),
    row(
        "rotary language model", "language model", RotaryLanguageModel, token_ids,
        branches=4, depth=2, activations=("gelu",),
    ),
    # The last step reaches the output by one product for its gates.
    row(
        "GRU by hand", "recurrent", WrittenGRU, lambda: values(2, 5, 4),
        branches=0, depth=2, activations=("sigmoid", "tanh"),
    ),
    row("one-hot input", "MLP", OneHot, token_ids, branches=0, depth=2, activations=("relu",)),
    row("tied embedding", "language model", TiedEmbedding, token_ids, branches=0, depth=3, activations=("tanh",)),
    row("added positions", "encoder", AddedPositions, lambda: values(2, 6, 4), branches=1, depth=2),
]  # fmt: skip
