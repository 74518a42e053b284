"""Types of arguments: integers by running the module, floats and complex numbers by its parameters."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader, TensorDataset

from initsk import ActivationInspector, diagnose, initialize, inspect_activations, recommend_initializer
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.inspection import gradient_coherence
from initsk.network import as_batch, iterate_batches
from tests.helpers import Net, batch, build, params

TOKENS = torch.arange(40).reshape(8, 5) % 7
EDGES = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])


def linear(n_in, n_out=2):
    return build(lambda: nn.Linear(n_in, n_out))


def table():
    return Net(lambda self, ids: self.out(self.rows.weight[ids].mean(1)), rows=linear(3, 7), out=linear(3))


def one_hot():
    return Net(lambda self, ids: self.out(F.one_hot(ids, 7).float().mean(1)), out=linear(7))


def graph():
    def forward(self, x, edge_index):
        h = self.fc(x)
        return torch.zeros_like(h).index_add(0, edge_index[1], h[edge_index[0]])

    return Net(forward, fc=linear(3))


def types_of(module, X):
    found = as_batch(module, X)
    return [part.dtype for part in (*found.inputs, *found.keywords.values())]


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (linear(4), (6, 4)),
        (build(lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2))), (6, 4)),
        (build(lambda: nn.Conv2d(3, 2, 3)), (6, 3, 5, 5)),
    ],
    ids=["linear", "norm", "convolution"],
)
def test_pixels_become_floats(module, shape, dtype):
    X = torch.arange(np.prod(shape)).reshape(shape).to(dtype)
    [values] = as_batch(module, X).inputs
    assert values.dtype == torch.float32
    assert torch.equal(values, X.float())


@pytest.mark.parametrize(
    "module", [table(), one_hot(), build(lambda: nn.Embedding(7, 2))], ids=["table", "one-hot", "embedding"]
)
def test_indices_stay_integers(module):
    assert types_of(module, TOKENS) == [torch.int64]


def test_edges_stay_integers_beside_features_of_any_type():
    for features in (batch(4, 3), torch.ones(4, 3, dtype=torch.int64)):
        assert types_of(graph(), (features, EDGES)) == [torch.float32, torch.int64]


def test_two_of_three_integer_arguments_become_floats():
    net = Net(lambda self, a, ids, b: self.fc(a) + self.rows.weight[ids] + self.fc(b), rows=linear(2, 9), fc=linear(3))
    ones = torch.ones(4, 3, dtype=torch.int64)
    assert types_of(net, (ones, torch.arange(4), ones)) == [torch.float32, torch.int64, torch.float32]


def test_masks_stay_booleans_and_boolean_features_become_floats():
    net = Net(lambda self, x, mask: self.fc(x.masked_fill(mask, 0)), fc=linear(3))
    assert types_of(net, (torch.ones(4, 3, dtype=torch.int64), torch.zeros(4, 3) > 0)) == [torch.float32, torch.bool]
    assert types_of(linear(3), torch.ones(4, 3) > 0) == [torch.float32]


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_complex_parameters_do_not_make_real_arguments_complex(precision):
    class Fourier(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5, dtype=precision.to_complex()))

        def forward(self, x):
            return torch.fft.irfft(torch.fft.rfft(x) * self.weight, n=8)

    X = batch(6, 8, seed=1)
    assert types_of(Fourier(), X.double()) == [precision]
    assert torch.allclose(Fourier()(*as_batch(Fourier(), X).inputs), X.to(precision), atol=1e-6)
    assert types_of(Fourier(), X.to(torch.complex128)) == [precision.to_complex()]


def test_complex_arguments_have_the_precision_of_real_parameters():
    net = Net(lambda self, x: self.fc(x.real), fc=linear(3).double())
    assert types_of(net, batch(4, 3).to(torch.complex64)) == [torch.complex128]


class Counting(nn.Module):
    """Indexes a table, or multiplies if `needs_floats`; lists the type of X in each call."""

    calls: list = []  # noqa: RUF012 - copies of the module share it

    def __init__(self, needs_floats):
        super().__init__()
        self.fc = nn.Linear(5, 3)
        self.table = nn.Parameter(torch.ones(7))
        self.needs_floats = needs_floats

    def forward(self, x):
        if isinstance(x, torch.Tensor):
            self.calls.append(x.dtype)
        return self.fc(x if self.needs_floats else self.table[x.long()])


ENTRIES = {
    "initialize": lambda net, X, y: initialize(net, "lsuv", X=X),
    "inspect": lambda net, X, y: inspect_activations(net, X, y, gradients=True, layers=["fc"], batch_size=9),
    "coherence": lambda net, X, y: gradient_coherence(net, X, y),
    "diagnose": lambda net, X, y: diagnose(net, X, y),
    # Without time, it measures "auto" alone.
    "recommend": lambda net, X, y: recommend_initializer(net, X, y, time_limit=1e-6),
    "recommend by all scores": lambda net, X, y: recommend_initializer(net, X, y),
    "inspector": lambda net, X, y: ActivationInspector(net, layers="fc", prefit=True).fit(X.numpy()),
}


@pytest.mark.parametrize("needs_floats", [False, True])
@pytest.mark.parametrize("entry", params(ENTRIES, slow={"recommend by all scores"}))
def test_integers_are_tried_once_in_a_call_and_floats_never(entry, needs_floats):
    X, y = torch.arange(150).reshape(30, 5) % 7, torch.arange(30) % 3
    counts = []
    for given in (X.float(), X):
        Counting.calls.clear()
        net = build(lambda: Counting(needs_floats))
        ENTRIES[entry](net, given, y)
        counts.append(len(Counting.calls))
    assert counts[1] - counts[0] == (2 if needs_floats else 1)
    # Only the trial runs on integers that the module needs as floats.
    assert Counting.calls.count(torch.int64) == (1 if needs_floats else counts[1])


def test_the_trial_changes_nothing_in_the_module():
    def forward(self, x):
        self.n += 1
        return self.fc(self.norm(F.dropout(self.rows.weight[x].mean(1), training=self.training)))

    net = Net(forward, rows=linear(3, 7), norm=nn.BatchNorm1d(3), fc=linear(3))
    net.register_buffer("n", torch.zeros(()))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state, tokens = torch.random.get_rng_state(), TOKENS.clone()
    assert types_of(net, tokens) == [torch.int64]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(part.training for part in net.modules())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(tokens, TOKENS)


def test_the_first_form_is_used_for_all_batches():
    batches = iterate_batches(linear(5), TOKENS, batch_size=3)
    assert [(len(b.inputs[0]), b.inputs[0].dtype) for b in batches] == [(n, torch.float32) for n in (3, 3, 2)]


def test_a_graph_as_a_tuple_is_one_batch_and_a_mask_of_positions_is_not():
    nodes = batch(9, 3)
    [found] = iterate_batches(graph(), (nodes, EDGES), batch_size=4)
    assert torch.equal(found.inputs[0], nodes)
    masked = Net(lambda self, x, mask: self.fc(x + mask), fc=linear(3))
    assert [len(b.inputs[0]) for b in iterate_batches(masked, (nodes, torch.zeros(3)), batch_size=4)] == [4, 4, 1]


@pytest.mark.parametrize(
    "stream",
    [
        lambda X, y: DataLoader(TensorDataset(X, y), 4),
        lambda X, y: iter([(X[:4], y[:4])]),
        lambda X, y: [{"input": X[i : i + 4], "labels": y[i : i + 4]} for i in (0, 4)].__iter__(),
    ],
    ids=["loader", "iterator", "mappings"],
)
def test_the_first_batch_of_a_stream_is_taken(stream):
    X, y = batch(8, 3), torch.arange(8)
    found = as_batch(linear(3), stream(X, y))
    [values] = (*found.inputs, *found.keywords.values())
    assert torch.equal(values, X[:4])
    assert torch.equal(found.target, y[:4])


def test_a_data_set_and_a_packed_sequence():
    X = batch(8, 3)
    assert torch.equal(as_batch(linear(3), TensorDataset(X)).inputs[0], X)
    packed = pack_sequence([torch.arange(4), torch.arange(2)])
    net = Net(lambda self, p: self.fc(self.rows.weight[p.data]), rows=linear(3, 7), fc=linear(3))
    [found] = as_batch(net, packed).inputs
    assert found.data.dtype == torch.int64
    assert torch.equal(found.batch_sizes, packed.batch_sizes)


def test_several_targets_and_bytes_as_targets():
    y = {"a": np.arange(4), "b": np.ones(4)}
    found = [b.target for b in iterate_batches(linear(3), batch(4, 3), y, batch_size=3)]
    assert [{k: (len(v), v.dtype) for k, v in part.items()} for part in found] == [
        {"a": (n, torch.int64), "b": (n, torch.float32)} for n in (3, 1)
    ]
    labels, images = torch.ones(4, dtype=torch.uint8), torch.ones(4, 3, dtype=torch.uint8)
    assert as_batch(linear(3), batch(4, 3), labels).target.dtype == torch.int64
    assert as_batch(linear(3), batch(4, 3), images).target.dtype == torch.float32


def test_a_module_that_runs_on_no_form_is_an_error_that_names_the_layer():
    net = build(lambda: nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(4, 2))))
    words = r"X of shape \(8, 5\) and type float32 in layer '1.0' \(Linear\): .*mat1 and mat2"
    with pytest.raises(ModuleError, match=words):
        as_batch(net, TOKENS)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(5, 3)

    def forward(self, left, right):
        return self.left(left) + self.right(right)


@pytest.mark.parametrize(
    ("factory", "X", "words"),
    [
        (lambda: nn.Sequential(nn.ReLU(), nn.Linear(4, 2)), batch(8, 5), r"layer '1' \(Linear\); .* \(8, 5\)"),
        (lambda: nn.Conv2d(3, 4, 3), batch(2, 8, 8, 3), r"the module \(Conv2d\); .* to have 3 channels"),
        (lambda: nn.Sequential(nn.Embedding(9, 2)), batch(8, 5), r"layer '0' \(Embedding\); .* type float32"),
        (lambda: nn.Sequential(nn.Linear(4, 2)), batch(8, 4).cfloat(), r"layer '0' \(Linear\); .* type complex64"),
        (Pair, {"left": batch(8, 4)}, r"X\['left'\] of shape.* missing 1 .* 'right'"),
        (Pair, (batch(8, 4),) * 2, r"layer 'right' \(Linear\)"),
    ],
)  # fmt: skip
def test_an_x_that_torch_refuses(factory, X, words):
    with pytest.raises(ModuleError, match=rf"{words}.*allowed: an X on which the module runs"):
        inspect_activations(build(factory), X)


def test_an_error_of_a_users_forward_names_its_class_the_layer_and_the_input():
    raised = KeyError("mine")

    def forward(self, x):
        raise raised

    with pytest.raises(ModuleError) as caught:
        inspect_activations(build(lambda: Net(forward, layer=nn.Linear(4, 2))), batch(8, 5))
    where = "the forward pass fails in the module (Net); input: X of shape (8, 5) and type float32"
    assert str(caught.value).startswith(f"{where}: KeyError: 'mine'")
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        ({"inptu": batch(4, 3)}, None, "unknown argument of forward 'inptu'; did you mean 'input'"),
        ({"input": batch(4, 3), "labels": [0] * 4}, [0] * 4, "X has targets too, 'labels'"),
        (iter([]), None, "yields no batch"),
        (iter([batch(4, 3)]), [0] * 4, "the stream gives pairs"),
        ([[1.0], [1.0, 2.0]], None, "X has rows of different lengths"),
    ],
)
def test_wrong_data_are_an_error(X, y, words):
    with pytest.raises(InvalidParameterError, match=words):
        as_batch(linear(3), X, y)
