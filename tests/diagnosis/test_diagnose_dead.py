"""Layers whose units are all dead are the cause that the answer names, if no path leads around them."""

import pytest
import torch
from torch import nn

from initsk import diagnose
from tests.helpers import Net, batch, build

X = batch(120, 6).float()
Y = (X[:, 0] > 0).long()
NEVER_POSITIVE = -1000.0


def network(n_hidden, *dead):
    """Return a network of hidden layers with ReLU; the pre-activations of the given ones are never positive."""

    def make():
        layers = [layer for _ in range(n_hidden) for layer in (nn.Linear(6, 6), nn.ReLU())]
        for number in dead:
            nn.init.constant_(layers[2 * number].bias, NEVER_POSITIVE)
        return nn.Sequential(*layers, nn.Linear(6, 2))

    return build(make).float()


@pytest.mark.parametrize("options", [{}, {"trial_steps": 0}, {"optimizer": "sgd", "lr": 0.01}])
@pytest.mark.parametrize(("n_hidden", "dead", "name"), [(1, 0, "0"), (3, 0, "0"), (3, 2, "4")])
def test_a_dead_layer_is_the_cause_that_the_answer_names(n_hidden, dead, name, options):
    diagnosis = diagnose(network(n_hidden, dead), X, Y, **options)
    first = diagnosis.findings().iloc[0]
    assert (first["layer"], first["kind"], first["value"], first["decides"]) == (name, "dead", 1.0, True)
    assert f"100% of the units of layer {name} are zero for every sample" in str(diagnosis)
    assert not diagnosis.will_train


def test_a_dead_branch_beside_a_path_of_gradients_decides_nothing():
    def forward(net, x):
        return net.head(net.first(x).tanh() + net.dead(x).relu())

    model = build(lambda: Net(forward, first=nn.Linear(6, 6), dead=nn.Linear(6, 6), head=nn.Linear(6, 2)))
    nn.init.constant_(model.dead.bias, NEVER_POSITIVE)
    findings = diagnose(model.float(), X, Y, optimizer="sgd", lr=1e-9).findings()
    dead = findings[findings["kind"] == "dead"]
    assert dead["layer"].tolist() == ["dead"]
    assert not dead["decides"].any()


def test_weights_of_zero_are_symmetric_before_they_are_dead():
    model = network(2)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    findings = diagnose(model, X, Y).findings()
    assert findings["kind"].iloc[0] == "symmetric"
    assert not findings.loc[findings["kind"] == "dead", "decides"].any()


def test_a_layer_with_units_that_are_left_decides_nothing():
    model = network(1)
    with torch.no_grad():
        model[0].bias[:4] = NEVER_POSITIVE
    findings = diagnose(model, X, Y, optimizer="sgd", lr=1e-9).findings()
    assert findings.loc[findings["kind"] == "dead", "decides"].tolist() == [False]
