"""Architectures of modules that torch.fx traces only in parts."""

import pytest
from torch import nn

from initsk import recommend_initializer
from initsk.network import add_architecture, plan_parameters, read
from tests.helpers import batch, build, record, variance_fits


def encoder_decoder(n, d):
    return nn.ModuleDict({"embed": nn.Embedding(400, 32), "t": nn.Transformer(32, 4, n, d, 64, batch_first=True)})


@pytest.mark.parametrize(("n", "d"), [(2, 3), (4, 2)])
def test_embeddings_belong_to_the_stack(n, d):
    m = build(lambda: encoder_decoder(n, d))
    record(m, "t_fixup")
    assert variance_fits(m["embed"].weight, (9 * d) ** -0.5 / 32)


def untraceable(*kinds):
    """Return a network of the functions' layers, with a decision that torch.fx cannot trace."""

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


def test_activations_follow_layers_of_other_parts():
    m = untraceable(square(), nn.Tanh, square(), nn.ReLU, square())
    found = record(m, "auto")["initializer"]
    assert found["parts.0.weight"] == "GlorotOrthogonal()"
    assert found["parts.2.weight"] == "HeOrthogonal()"
    assert found["parts.4.weight"] == "Scaled(base=LeCunOrthogonal(), factor=0.57735)"


def test_places_of_layers_in_parts():
    m = untraceable(square(100), square(100))
    record(m, "siren")
    assert 0.9 / 100 < float(m.parts[0].weight.detach().abs().max()) <= 1 / 100


def test_activations_in_transformer_layers():
    m = build(lambda: nn.TransformerEncoderLayer(64, 2, 400, activation="gelu"))
    record(m, "edge_of_chaos")
    assert variance_fits(m.linear1.weight, 1.983058 / 64)


def test_an_activation_belongs_to_the_layer_before_it_only():
    m = build(lambda: nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)))
    assert record(m, "auto").loc["0.weight", "why"] == "feeds no activation function"


class Blocks(nn.Module):
    """Pre-norm or post-norm blocks, and a normalization at the end."""

    def __init__(self, pre_norm):
        super().__init__()
        self.layers, self.pre_norm = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)]), pre_norm
        self.norms, self.last = nn.ModuleList([nn.LayerNorm(8) for _ in range(3)]), nn.LayerNorm(8)

    def forward(self, x):
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + layer(norm(x)) if self.pre_norm else norm(x + layer(x))
        return self.last(x)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_the_normalization_of_the_last_block_tells_nothing(pre_norm):
    module = build(lambda: Blocks(pre_norm))
    graph = read(module, batch(4, 8))
    plan = add_architecture(module, graph, list(plan_parameters(module, graph)))
    found = {planned.specs[0].branch.block for planned in plan if planned.name.startswith("layers")}
    assert found == {"pre-norm" if pre_norm else "post-norm"}
    advice = " ".join(recommend_initializer(module, batch(4, 8)).learning_rate)
    assert ("warm-up" in advice) == (not pre_norm)
