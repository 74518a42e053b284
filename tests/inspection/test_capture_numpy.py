"""Networks that compute a part in numpy: the layers around it are known, and messages say what numpy does."""

import numpy as np
import pytest
import torch
from torch import nn

from initsk import diagnose, inspect_activations, recommend_initializer
from initsk.exceptions import ModuleError
from tests.helpers import Net, batch, build

X = batch(60, 4).float()
Y = (X[:, 0] > 0).long()

# Ways from a tensor to numpy and back.
WAYS = {
    "from_numpy": lambda values: torch.from_numpy(np.tanh(values.detach().numpy())),
    "tensor": lambda values: torch.tensor(np.tanh(values.detach().numpy())),
    "as_tensor": lambda values: torch.as_tensor(np.tanh(np.asarray(values.detach()))),
    "lists": lambda values: torch.tensor(values.tolist()),
}


def network(outside, where):
    """Return a network of two layers that calls a function before the first, between them, or after the second."""

    def forward(net, x):
        hidden = net.first(outside(x) if where == 0 else x).relu()
        output = net.second(outside(hidden) if where == 1 else hidden)
        return outside(output) if where == 2 else output

    return build(lambda: Net(forward, first=nn.Linear(4, 8), second=nn.Linear(8, 2))).float()


@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_layers_around_a_part_in_numpy_are_inspected(way, where):
    frame = inspect_activations(network(WAYS[way], where), X).to_frame()
    assert frame["layer"].unique().tolist() == ["first", "second"]


def test_samples_that_numpy_prepares_do_not_keep_a_network_from_training():
    model = network(WAYS["from_numpy"], 0)
    assert diagnose(model, X, Y).will_train
    assert recommend_initializer(model, X, Y).measured["score"].max() > 0.5


def test_a_layer_before_a_part_in_numpy_is_cut_off():
    findings = diagnose(network(WAYS["from_numpy"], 1), X, Y, trial_steps=4).findings()
    assert findings.loc[findings["kind"] == "cut off", "layer"].tolist() == ["first"]


@pytest.mark.parametrize("function", [diagnose, recommend_initializer, inspect_activations])
def test_a_loss_without_a_gradient_is_explained(function):
    options = {"gradients": True} if function is inspect_activations else {}
    with pytest.raises(ModuleError, match=r"no gradient .*numpy, \.detach\(\), \.item\(\) and torch\.no_grad\(\)"):
        function(network(WAYS["from_numpy"], 2), X, Y, **options)


def test_a_network_that_computes_its_layers_in_numpy_is_told_so():
    def forward(net, x):
        return torch.from_numpy(x.numpy() @ net.only.weight.detach().numpy().T)

    model = build(lambda: Net(forward, only=nn.Linear(4, 2))).float()
    with pytest.raises(ModuleError, match=r"no layer with parameters .*; its forward computes in numpy"):
        inspect_activations(model, X)


def test_constants_of_a_network_without_numpy_are_no_signals():
    constant = torch.full((8,), 2.0)
    model = build(lambda: Net(lambda net, x: net.first(x) + constant.tanh(), first=nn.Linear(4, 8))).float()
    assert inspect_activations(model, X).to_frame()["layer"].unique().tolist() == ["first"]
