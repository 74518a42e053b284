"""Layers, positions and functions of networks whose forward pass is written by hand."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it

from initsk import ActivationInspector, inspect_activations
from initsk.network import MLP
from tests.helpers import Net, batch, build, fc

X = torch.tensor([[-1.0], [3.0]])


def rows(net, X, **arguments):
    """Return (layer, position, function) with the mean, in order."""
    frame = inspect_activations(net, X, **arguments).to_frame()
    return {(r.layer, r.position, r.function): r.mean for r in frame.itertuples()}


def gelu_by_hand(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


COMPOSITES = {
    "gelu with tanh": (gelu_by_hand, "gelu", lambda x: x * special.ndtr(x)),
    "gelu with erf": (lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))), "gelu", lambda x: x * special.ndtr(x)),
    "silu": (lambda x: x * x.sigmoid(), "silu", lambda x: x * special.expit(x)),
    "quick gelu": (lambda x: x * torch.sigmoid(1.702 * x), "quick_gelu", lambda x: x * special.expit(1.702 * x)),
    "squared relu": (lambda x: F.relu(x) ** 2, "relu_squared", lambda x: np.maximum(x, 0) ** 2),
    "mish": (lambda x: x * torch.tanh(F.softplus(x)), "mish", lambda x: x * np.tanh(np.logaddexp(0, x))),
}


@pytest.mark.parametrize(("function", "name", "true"), COMPOSITES.values(), ids=COMPOSITES)
def test_a_composite_function_is_one_activation_of_the_layer(function, name, true):
    net = Net(lambda self, x: self.out(function(self.fc(x))), fc=fc(), out=fc(2.0))
    found = rows(net, X)
    assert list(found) == [("fc", "pre_activation", ""), ("fc", "activation", name), ("out", "output", "")]
    # GELU with tanh is an approximation.
    assert found["fc", "activation", name] == pytest.approx(true(np.array([-1.0, 3.0])).mean(), abs=1e-3)
    saturated = inspect_activations(net, X).to_frame()["saturated_fraction"]
    assert saturated.isna().all() or (saturated.dropna() == 0).all()


def test_a_gate_is_the_function_times_another_layer():
    net = Net(
        lambda self, x: self.down(F.silu(self.gate(x)) * self.up(x)),
        gate=fc(2.0), up=fc(3.0), down=fc(),
    )  # fmt: skip
    found = rows(net, X)
    assert list(found) == [
        ("gate", "pre_activation", ""), ("gate", "activation", "silu"), ("up", "output", ""), ("down", "output", ""),
    ]  # fmt: skip
    assert found["gate", "activation", "silu"] == pytest.approx(float(F.silu(2 * X).mean()), rel=1e-6)


def test_the_gate_of_a_fused_projection_belongs_to_it():
    def forward(self, x):
        gate, up = self.both(x).chunk(2, dim=-1)
        return self.down(F.gelu(gate) * up)

    net = Net(forward, both=build(lambda: nn.Linear(3, 8)), down=build(lambda: nn.Linear(4, 2)))
    frame = inspect_activations(net, batch(5, 3)).to_frame()
    assert frame[["layer", "position", "units"]].to_numpy().tolist() == [
        ["both", "pre_activation", 8], ["both", "activation", 4], ["down", "output", 2],
    ]  # fmt: skip


def test_several_functions_of_parts_have_names_of_their_own():
    def forward(self, x):
        first, second = self.both(x).chunk(2, dim=-1)
        return first.sigmoid() * second.tanh()

    net = Net(forward, both=build(lambda: nn.Linear(3, 8)))
    frame = inspect_activations(net, batch(5, 3)).to_frame()
    assert frame["layer"].tolist() == ["both", "sigmoid", "sigmoid", "tanh", "tanh"]


def test_functions_of_constants_are_no_layers():
    """A transformer with positions from a table, and rotary sines."""

    def forward(self, tokens):
        positions = torch.arange(tokens.shape[1])
        x = self.tokens(tokens) + self.positions(positions)
        angles = positions[:, None] * torch.tensor([1.0, 0.1])
        turned = x[..., :2] * angles.cos() - x[..., 2:] * angles.sin()
        mask = torch.sigmoid(1e4 * (positions - 2.5))[:, None]
        return self.out(torch.relu(self.fc(torch.cat([turned, turned], -1))) * mask)

    net = Net(
        forward,
        tokens=build(lambda: nn.Embedding(7, 4)), positions=build(lambda: nn.Embedding(9, 4)),
        fc=build(lambda: nn.Linear(4, 6)), out=build(lambda: nn.Linear(6, 2)),
    )  # fmt: skip
    summary = inspect_activations(net, torch.arange(35).reshape(7, 5) % 7)
    assert summary.layers == ["tokens", "fc", "out"]
    assert summary.findings().empty
    # The user may choose the table by its name.
    assert inspect_activations(net, torch.zeros(2, 5, dtype=torch.int64), layers="positions").layers == ["positions"]


BETWEEN = {
    "identity": lambda self, x: self.identity(x),
    "dropout": lambda self, x: self.dropout(x),
    "reshape": lambda self, x: x.reshape(-1, 2, 2),
    "permute": lambda self, x: x.unsqueeze(1).transpose(1, 2).contiguous(),
    "all": lambda self, x: self.identity(self.dropout(x)).unflatten(1, (2, 2)),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
def test_nothing_hides_the_layer_of_a_function(between, training):
    net = Net(
        lambda self, x: self.out(torch.tanh(between(self, self.fc(x))).flatten(1)),
        fc=build(lambda: nn.Linear(3, 4)), identity=nn.Identity(), dropout=nn.Dropout(0.5),
        out=build(lambda: nn.Linear(4, 2)),
    )  # fmt: skip
    found = rows(net, batch(6, 3), training=training)
    assert list(found) == [("fc", "pre_activation", ""), ("fc", "activation", "tanh"), ("out", "output", "")]


def test_channels_that_are_moved_to_the_end_are_units():
    """The image has as many rows as channels, so that the shape does not tell which axis counts the channels."""
    norm, conv = nn.LayerNorm(4), build(lambda: nn.Conv2d(1, 4, 1))
    net = Net(
        lambda self, x: self.out(F.gelu(self.norm(self.conv(x).permute(0, 2, 3, 1)))),
        conv=conv, norm=norm, out=build(lambda: nn.Linear(4, 3)),
    )  # fmt: skip
    X = batch(5, 1, 4, 4)
    frame = inspect_activations(net, X, measures=["units"]).to_frame().set_index(["layer", "position"])
    assert frame["units"].tolist() == [4, 4, 4, 3]
    with torch.no_grad():
        norm.bias[0] = -100.0
    frame = inspect_activations(net, X, measures=["units"]).to_frame().set_index(["layer", "position"])
    assert frame.loc[("norm", "activation"), "dead_fraction"] == 0.25


class Weights(nn.Module):
    """A module with weights of its own, and a given forward function."""

    def __init__(self, forward, **shapes):
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(batch(*shape, seed=len(name))))
        self.compute = forward

    def forward(self, x):
        return self.compute(self, x)


FORMS = {
    "F.linear": lambda self, x: F.linear(x, self.w.T, self.b),
    "matmul": lambda self, x: torch.matmul(x, self.w) + self.b,
    "operator": lambda self, x: x @ self.w + self.b,
    "addmm": lambda self, x: torch.addmm(self.b, x, self.w),
    "einsum": lambda self, x: torch.einsum("ni,io->no", x, self.w) + self.b,
}


@pytest.mark.parametrize("compute", FORMS.values(), ids=FORMS)
def test_a_layer_written_by_hand_is_a_layer_of_its_name(compute):
    net = Net(lambda self, x: self.out(self.hidden(x).tanh()), hidden=Weights(compute, w=(3, 4), b=(4,)),
              out=build(lambda: nn.Linear(4, 2)))  # fmt: skip
    true = build(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))
    true[0].weight.data, true[0].bias.data = net.hidden.w.data.T.clone(), net.hidden.b.data.clone()
    true[2].load_state_dict(net.out.state_dict())
    data = batch(20, 3)
    written, plain = (inspect_activations(one, data).to_frame() for one in (net, true))
    assert written["layer"].tolist() == ["hidden", "hidden", "out"]
    columns = plain.columns.drop(["layer", "module", "function"])
    pd.testing.assert_frame_equal(written[columns], plain[columns], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("compute", FORMS.values(), ids=FORMS)
def test_a_function_inside_a_layer_written_by_hand_is_its_activation(compute):
    inside = Net(lambda self, x: self.hidden(x), hidden=Weights(lambda s, x: compute(s, x).relu(), w=(3, 4), b=(4,)))
    assert list(rows(inside, batch(5, 3))) == [("hidden", "pre_activation", ""), ("hidden", "activation", "relu")]


def test_two_products_of_a_module_have_the_names_of_their_weights():
    block = Weights(lambda self, x: F.relu(x @ self.up) @ self.down, up=(3, 4), down=(4, 2))
    net = Net(lambda self, x: self.block(x), block=block)
    assert list(rows(net, batch(5, 3))) == [
        ("block.up", "pre_activation", ""), ("block.up", "activation", "relu"), ("block.down", "output", ""),
    ]  # fmt: skip


def test_a_module_whose_output_is_more_than_its_product_keeps_its_name():
    block = Weights(lambda self, x: x + x @ self.w, w=(3, 3))
    assert list(rows(Net(lambda self, x: self.block(x), block=block), batch(5, 3))) == [
        ("block.w", "output", ""), ("block", "output", ""),
    ]  # fmt: skip


def test_weights_that_another_module_uses_have_the_name_of_their_owner():
    table = build(lambda: nn.Embedding(9, 4))
    net = Net(lambda self, x: F.linear(self.table(x).tanh(), self.table.weight), table=table)
    assert list(rows(net, torch.arange(9)[:, None])) == [
        ("table", "pre_activation", ""), ("table", "activation", "tanh"), ("table:1", "output", ""),
    ]  # fmt: skip
    head = build(lambda: nn.Linear(4, 9, bias=False))
    head.weight = table.weight
    tied = Net(lambda self, x: self.head(self.table(x)), table=table, head=head)
    assert list(rows(tied, torch.arange(9)[:, None])) == [("table", "output", ""), ("head", "output", "")]


def test_experts_are_layers_of_each_call():
    def forward(self, x):
        return sum(F.gelu(x @ self.up[e]) @ self.down[e] for e in range(2))

    net = Net(lambda self, x: self.experts(x), experts=Weights(forward, up=(2, 3, 4), down=(2, 4, 3)))
    layers = inspect_activations(net, batch(5, 3)).layers
    assert layers == ["experts.up", "experts.down", "experts.up:1", "experts.down:1", "experts"]


def test_features_are_the_values_after_the_whole_function():
    net = Net(lambda self, x: self.out(gelu_by_hand(self.fc(x))), fc=fc(), out=fc(2.0))
    features = ActivationInspector(net, "fc", prefit=True).fit(X.numpy()).transform(X.numpy())
    np.testing.assert_allclose(features, gelu_by_hand(X).numpy(), rtol=1e-6)


def test_the_reading_of_a_chain_changes_nothing():
    """The module counts its calls from 0 for the batches, after the network was read, and in the end has no count."""
    counts = []

    class Counting(MLP):
        calls = 0

        def forward(self, x):
            self.calls += 1
            counts.append(self.calls)
            return super().forward(x)

    net = build(lambda: Counting(3, 2, (4,)))
    inspect_activations(net, batch(8, 3), batch_size=4)
    assert counts == [1, 1, 2]
    assert net.calls == 0
