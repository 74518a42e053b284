"""Sparse tensors as arguments, buffers and inner results of a network."""

import pytest
import torch
from torch import nn

from initsk import audit, diagnose, initialize, inspect_activations, network, recommend_initializer
from initsk.diagnosis import predict_signal
from initsk.exceptions import InvalidParameterError
from initsk.inspection import gradient_coherence
from tests.helpers import build

EDGES = (torch.arange(36).reshape(6, 6) % 5 < 2).float()
LAYOUTS = {"coo": torch.Tensor.to_sparse, "csr": torch.Tensor.to_sparse_csr}
# torch warns that its support is beta.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR")
X = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(6) % 2


class GraphNet(nn.Module):
    """Two graph convolutions, on a matrix of edges that is an argument or a buffer."""

    def __init__(self, edges=None):
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)
        self.register_buffer("edges", edges)

    def forward(self, x, edges=None):
        edges = self.edges if edges is None else edges
        return torch.sparse.mm(edges, self.b(torch.relu(edges @ self.a(edges @ x))))


class InnerGraphNet(GraphNet):
    """Makes the sparse matrix from its input."""

    def forward(self, x, edges=None):
        nearby = (x @ x.T).relu()
        edges = nearby.to_sparse().coalesce().t()
        return super().forward(x, edges)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("where", ["argument", "buffer"])
def test_sparse_edges_read_as_dense_ones(layout, where):
    def case(edges):
        return (build(GraphNet), (X, edges)) if where == "argument" else (build(lambda: GraphNet(edges)), X)

    (net, data), (dense, dense_data) = case(LAYOUTS[layout](EDGES)), case(EDGES)
    names = [operation.name for operation in network.read(net, data).operations]
    assert names == [operation.name for operation in network.read(dense, dense_data).operations]
    found = [initialize(m, "lsuv", X=x).to_frame() for m, x in ((net, data), (dense, dense_data))]
    assert found[0]["outcome"].tolist() == found[1]["outcome"].tolist()
    torch.testing.assert_close(net.a.weight, dense.a.weight)
    frames = [inspect_activations(m, x, Y, gradients=True).to_frame() for m, x in ((net, data), (dense, dense_data))]
    torch.testing.assert_close(*(torch.tensor(frame["std"].to_numpy()) for frame in frames))


def test_sparse_results_inside_a_network():
    net = build(InnerGraphNet)
    assert (initialize(net, X=X).to_frame()["outcome"] == "filled").all()
    assert len(inspect_activations(net, X).to_frame())


def test_a_diagnosis_takes_sparse_edges():
    edges = torch.eye(24).to_sparse()
    x = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
    assert 0 <= diagnose(build(GraphNet), (x, edges), torch.arange(24) % 2).score <= 1


TAKERS = {
    "diagnose": lambda net, X: diagnose(net, X, torch.arange(24) % 2),
    "audit": audit,
    "inspect_activations": inspect_activations,
    "gradient_coherence": lambda net, X: gradient_coherence(net, X, torch.arange(24) % 2),
    "recommend_initializer": recommend_initializer,
    "predict_signal": lambda net, X: predict_signal(net, "he_normal", X=X),
    "initialize": lambda net, X: initialize(net, "lsuv", X=X),
    "read": network.read,
}
FORMS = {"array": lambda X: X, "tuple": lambda X: (X,), "mapping": lambda X: {"input": X}}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("taker", TAKERS)
def test_samples_in_a_sparse_tensor_are_refused(taker, layout, form):
    net = build(lambda: nn.Sequential(nn.Linear(24, 4), nn.ReLU(), nn.Linear(4, 2)))
    before = [parameter.clone() for parameter in net.parameters()]
    with pytest.raises(InvalidParameterError, match=rf"X.* of the layout torch\.sparse_{layout} .*to_dense"):
        TAKERS[taker](net, FORMS[form](LAYOUTS[layout](torch.eye(24))))
    torch.testing.assert_close([*net.parameters()], before)


def test_sparse_samples_of_a_stream_are_refused():
    net = build(lambda: nn.Linear(24, 2))
    batches = [(torch.eye(24).to_sparse(), torch.arange(24) % 2)] * 2
    with pytest.raises(InvalidParameterError, match=r"X of the layout torch\.sparse_coo"):
        diagnose(net, iter(batches))


def test_targets_in_a_sparse_tensor_are_refused():
    net = build(lambda: nn.Linear(24, 24))
    with pytest.raises(InvalidParameterError, match=r"y of the layout torch\.sparse_coo"):
        diagnose(net, torch.eye(24), torch.eye(24).to_sparse())
