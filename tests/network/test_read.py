"""Networks are read by running them: operations, uses of parameters, depth and branches."""

import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from initsk import initialize, inspect_activations, network
from initsk.exceptions import ModuleError
from initsk.initializers import get_initializer
from tests.helpers import batch, build


class Functions(nn.Module):
    """A network whose weights are used by functions of torch."""

    def __init__(self, call, *shapes):
        super().__init__()
        self.call = call
        self.weights = nn.ParameterList([torch.randn(shape) for shape in shapes])

    def forward(self, x):
        return self.call(x, *self.weights)


def use(call, *shapes, x=(2, 4), number=0):
    """Return how the forward pass uses a weight."""
    graph = network.read(build(lambda: Functions(call, *shapes)), batch(*x))
    (found, *_) = graph.uses[f"weights.{number}"]
    return found[1]


EXPERTS = ((3, "block"), (4, "in"), (5, "out"))
LISTED = ((3, "block"), (5, "out"), (4, "in"))


@pytest.mark.parametrize(
    ("call", "shape", "roles"),
    [
        (functional.linear, (5, 4), ((5, "out"), (4, "in"))),
        (torch.matmul, (4, 5), ((4, "in"), (5, "out"))),
        (lambda x, w: x @ w.T, (5, 4), ((5, "out"), (4, "in"))),
        (lambda x, w: (w @ x.T).T, (5, 4), ((5, "out"), (4, "in"))),
        (lambda x, w: torch.addmm(torch.zeros(5), x, w), (4, 5), ((4, "in"), (5, "out"))),
        (lambda x, w: torch.einsum("bi,oi->bo", x, w), (5, 4), ((5, "out"), (4, "in"))),
        (lambda x, w: torch.einsum("bi,eio->beo", x, w), (3, 4, 5), ((3, "out"), (4, "in"), (5, "out"))),
        (lambda x, w: torch.einsum("ebi,eio->ebo", x.expand(3, 2, 4), w), (3, 4, 5), EXPERTS),
        (lambda x, w: torch.bmm(x.expand(3, 2, 4), w), (3, 4, 5), EXPERTS),
        (lambda x, w: sum(functional.linear(x, part) for part in w), (3, 5, 4), LISTED),
        (lambda x, w: functional.linear(x, w[1]), (3, 5, 4), LISTED),
        (lambda x, w: functional.linear(x, w.view(3, 5, 4)[1]), (15, 4), LISTED),
        (lambda x, w: torch.tensordot(x, w, dims=([1], [0])), (4, 5), ((4, "in"), (5, "out"))),
        (lambda x, w: functional.linear(x, w.half().float().contiguous()), (5, 4), ((5, "out"), (4, "in"))),
        (lambda x, w: functional.linear(x, w - w.mean(1, keepdim=True)), (5, 4), ((5, "out"), (4, "in"))),
    ],
)  # fmt: skip
def test_the_axes_of_weights_have_their_roles(call, shape, roles):
    found = use(call, shape)
    assert (found.how, found.roles) == ("multiplies", roles)


@pytest.mark.parametrize(
    ("call", "shape", "how"),
    [
        (lambda x, w: x * w, (4,), "scales"),
        (lambda x, w: x + w, (4,), "adds"),
        (lambda x, w: functional.layer_norm(x, (4,), w), (4,), "normalizes"),
        (lambda x, w: functional.embedding(x.abs().long().clamp(max=2), w), (3, 4), "looked up"),
        (lambda x, w: w[x.abs().long().clamp(max=2)], (3, 4), "looked up"),
        (lambda x, w: x * torch.exp(w), (4,), "scales"),
    ],
)
def test_other_uses(call, shape, how):
    assert use(call, shape).how == how


@pytest.mark.parametrize(
    ("take", "n_parts"),
    [
        (lambda y: torch.stack(y.chunk(3, dim=-1)).sum(0), 3),
        (lambda y: sum(y.reshape(2, 3, 2).permute(1, 0, 2).unbind(0)), 3),
        (lambda y: y[..., :3] * torch.sigmoid(y[..., 3:]), 2),
        (lambda y: y[..., :2] + y[..., 2:].sum(-1, keepdim=True), 1),
        (lambda y: y.reshape(2, 2, 3).transpose(1, 2).sum(-1), 1),
        (torch.relu, 1),
    ],
)
def test_packed_projections_are_parts(take, n_parts):
    graph = network.read(build(lambda: Functions(lambda x, w: take(functional.linear(x, w)), (6, 4))), batch(2, 4))
    assert next(o.n_parts for o in graph.operations if o.kind == "product") == n_parts


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Linear(4, 4), nn.Linear(4, 2)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4)) for _ in range(3))

    def forward(self, x):
        x = self.stem(x)
        if x.sum() > 0:  # a decision about values
            x = x + 0
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


def test_depth_is_counted_on_the_shortest_path():
    graph = network.read(build(Residual))
    assert (graph.depth, graph.n_branches, graph.activations) == (2, 3, ["gelu"])


def test_attention_of_torch_is_read_inside():
    graph = network.read(build(lambda: nn.TransformerEncoderLayer(8, 2, 16)))
    assert graph.n_branches == 2
    kinds = [operation.kind for operation in graph.operations]
    assert kinds.count("product") == 4
    assert kinds.count("attention") == 1


def test_masks_and_integers_are_no_shorter_path():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.a, self.b = nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, ids, mask):
            x = torch.relu(self.a(self.table(ids)))
            return self.b(x + (1 - mask.float())[..., None] * -1e4)

    ids = torch.zeros(2, 3, dtype=torch.int64)
    assert network.read(build(Masked), (ids, ids)).depth == 3


def test_reading_changes_nothing():
    class Remembers(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.norm, self.drop = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout()
            self.last, self.calls = None, []

        def forward(self, x):
            self.last = x
            self.calls.append(1)
            return self.drop(self.norm(self.layer(x)))

    module = build(Remembers).train()
    hooked = []
    module.layer.register_forward_hook(lambda *_: hooked.append(1))
    before, state = {name: value.clone() for name, value in module.state_dict().items()}, torch.get_rng_state()
    network.read(module, batch(8, 4))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert (module.training, module.last, module.calls, hooked) == (True, None, [], [])
    assert len(module.layer._forward_hooks) == 1


def test_a_failing_forward_pass_names_the_layer_and_the_input():
    module = build(lambda: nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(5, 2))))
    with pytest.raises(ModuleError, match=r"failed at layer '1\.1' on X of shape 8 x 4"):
        network.read(module, batch(8, 4))


def test_meta_modules_are_read_without_values():
    graph = network.read(build(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))).to("meta"))
    assert (graph.depth, graph.activations) == (2, ["relu"])


def test_large_networks_are_read_without_values(monkeypatch):
    module = build(Residual)
    # Never written to, so that it takes no memory.
    module.large = nn.Parameter(torch.empty(2**27))
    fake = network.read(module.to(torch.float32))
    monkeypatch.setitem(sys.modules, "torch._subclasses", None)
    computed = network.read(module)
    # Without values there is no decision about them, so the network is read with values.
    assert fake.to_frame().equals(computed.to_frame())


@pytest.mark.parametrize("write", ["in place", "data", "operator"])
def test_large_networks_that_write_into_a_parameter_have_their_values_back(write):
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.factor = nn.Linear(3, 2), nn.Parameter(torch.ones(2))
            self.large = nn.Parameter(torch.empty(2**27))

        def forward(self, x):
            with torch.no_grad():
                if write == "in place":
                    self.factor.mul_(2)
                elif write == "data":
                    self.factor.data = self.factor.data * 2
                else:
                    self.factor[0] = 3
            return self.layer(x) * self.factor

    module = build(Writes).to(torch.float32)
    memory = module.factor.data_ptr()
    graph = network.read(module, torch.zeros(2, 3))
    assert (graph.reading, graph.depth) == ("forward pass", 1)
    assert (type(module.factor.data), module.factor.data_ptr()) == (torch.Tensor, memory)
    assert module.factor.tolist() == [1, 1]


def test_the_frame_has_a_row_for_each_operation():
    frame = network.read(build(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU()))).to_frame()
    assert frame["operation"].tolist() == ["input", "linear", "relu", "output"]
    assert frame.loc[1, ["module", "kind", "shape", "inputs", "parameters"]].tolist() == [
        "0", "product", "2 x 8", "0", "0.weight, 0.bias"
    ]  # fmt: skip
    assert frame.loc[2, "activation"] == "relu"


def test_in_place_writes_into_a_view_are_followed():
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x):
            out = torch.zeros(len(x), 4)
            out[:, :2] = self.a(x)
            return self.b(out)

    assert network.read(build(Writes)).depth == 2


def test_weights_in_any_layout_get_the_variance_of_their_fan_in():
    module = build(lambda: Functions(lambda x, w, v: torch.relu(x @ w) @ v.T, (300, 400), (200, 400)))
    initialize(module, get_initializer("he_normal"), X=batch(2, 300))
    first, second = module.weights
    # 120000 and 80000 values: five standard errors of the variance.
    assert float(first.detach().var()) * 300 == pytest.approx(2, rel=5 * (2 / 120_000) ** 0.5)
    assert float(second.detach().var()) * 400 == pytest.approx(2, rel=5 * (2 / 80_000) ** 0.5)


def test_hooks_that_forward_relies_on_run():
    class Collects(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.hidden = nn.Linear(3, 4), nn.Linear(4, 2), []
            self.one.register_forward_hook(lambda part, given, output: self.hidden.append(output))

        def forward(self, x):
            self.one(x)
            return self.two(torch.relu(self.hidden.pop()))

    module = build(Collects)
    assert network.read(module, batch(8, 3)).depth == 2
    layers = inspect_activations(module, batch(8, 3)).to_frame()["layer"]
    assert layers.unique().tolist() == ["one", "two"]
