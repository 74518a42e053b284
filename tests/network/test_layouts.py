"""Parameters that are sparse, or whose elements share memory: measured like dense ones, and not filled."""

import pandas as pd
import pytest
import torch
from torch import nn

from initsk import audit, diagnose, initialize, inspect_activations, network, recommend_initializer
from initsk.diagnosis import predict_signal
from initsk.exceptions import InvalidParameterError, ModuleError, UninitializedWarning
from tests.helpers import batch, build

X, Y = batch(24, 4), torch.arange(24) % 3
W = batch(3, 6)


class Last(nn.Module):
    """A network whose last weight has the given layout."""

    def __init__(self, stored, first=True, requires_grad=True):
        super().__init__()
        self.first = nn.Linear(4, 6) if first else nn.Flatten()
        self.w = nn.Parameter(stored(W if first else W[:, :4]), requires_grad)

    def forward(self, x):
        h = self.first(x)
        return h @ self.w.to_dense().t() if self.w.layout is torch._mkldnn else h @ self.w.t()


def sliding(values):
    return torch.arange(8.0).as_strided(values.shape, (1, 1))


LAYOUTS = {
    "coo": (lambda values: values.to_sparse(), "is stored as torch.sparse_coo"),
    "csr": (lambda values: values.to_sparse_csr(), "is stored as torch.sparse_csr"),
    "mkldnn": (lambda values: values.to_mkldnn(), "is stored as torch._mkldnn"),
    "expanded": (lambda values: values[:, :1].expand(values.shape), "has elements that share memory"),
    "sliding": (sliding, "has elements that share memory"),
}
MEASURES = {
    "audit": lambda net: audit(net, X).findings(),
    "audit without X": lambda net: audit(net).findings(),
    "inspect": lambda net: inspect_activations(net, X).to_frame(),
    "weights": lambda net: inspect_activations(net, X, weights=True).to_frame("weights"),
    "gradients": lambda net: inspect_activations(
        net, X, Y, gradients=True, optimizer=lambda held: torch.optim.SGD(held, lr=0.1)
    ).parameters(),
    "predict": lambda net: predict_signal(net, None, X)[["layer", "position", "forward"]],
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_measurements_are_those_of_the_dense_parameter(layout, measure):
    stored, _ = LAYOUTS[layout]

    def densely(values):
        return stored(values).to_dense().contiguous()

    found, expected = (MEASURES[measure](build(lambda make=make: Last(make))) for make in (stored, densely))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize("initializer", ["he_normal", "auto", "lsuv"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_such_a_weight_is_left_with_a_warning_that_names_it(layout, initializer):
    stored, reason = LAYOUTS[layout]
    module, alone = build(lambda: Last(stored)), build(lambda: nn.Linear(4, 6))
    before = module.w.detach().to_dense().clone()
    with pytest.warns(UninitializedWarning, match=rf"1 weight unfilled.*: w \(w {reason}.*no values are written"):
        record = initialize(module, initializer, X=X)
    assert record.to_frame().set_index("name")["outcome"].to_dict() == {
        "first.weight": "filled", "first.bias": "filled", "w": "left"
    }  # fmt: skip
    assert torch.equal(module.w.detach().to_dense(), before)
    assert module.first.weight.std() != alone.weight.std()


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_error_names_the_parameter_if_there_is_no_other_weight(layout):
    stored, reason = LAYOUTS[layout]
    module = build(lambda: Last(stored, first=False))
    before = module.w.detach().to_dense().clone()
    with pytest.raises(InvalidParameterError, match=rf"has filled no weight: w {reason}"):
        initialize(module, X=X)
    assert torch.equal(module.w.detach().to_dense(), before)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_a_frozen_matrix_of_any_layout_is_no_missed_weight():
    for stored, _ in LAYOUTS.values():
        module = build(lambda stored=stored: Last(stored, requires_grad=False))
        why = initialize(module, X=X).to_frame().set_index("name")["why"]
        assert "frozen" in why["w"]


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_recommendations_and_diagnoses(layout):
    module = build(lambda: Last(LAYOUTS[layout][0]))
    names = recommend_initializer(module, X).to_frame()["name"].tolist()
    assert names[:1] == ["first.weight"]
    assert "w" not in names
    if layout in ("expanded", "sliding"):
        assert 0 <= diagnose(module, X, Y, trial_steps=2).score <= 1
        return
    with pytest.raises(ModuleError, match=r"Last cannot be copied: w is stored as torch.*allowed: dense parameters"):
        diagnose(module, X, Y, trial_steps=2)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("call", [network.read, audit, initialize, lambda net: inspect_activations(net, X)])
def test_a_nested_parameter_is_refused_by_its_name(call):
    module = build(lambda: nn.Linear(4, 3))
    module.rows = nn.Parameter(torch.nested.nested_tensor([torch.ones(3), torch.ones(2)]))
    with pytest.raises(ModuleError, match=r"^rows is a nested tensor.*allowed: parameters with a shape"):
        call(module)


def test_a_failing_refinement_restores_the_dense_parameters_beside_a_sparse_one():
    module = build(lambda: Last(lambda values: values.to_sparse()))
    before = module.first.weight.detach().clone()
    with pytest.warns(UninitializedWarning), pytest.raises(ModuleError, match="constant"):
        initialize(module, "lsuv", X=torch.zeros(24, 4))
    assert torch.equal(module.first.weight, before)
