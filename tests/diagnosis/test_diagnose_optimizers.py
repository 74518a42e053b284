"""Diagnoses with optimizers in every form."""

from functools import partial

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from initsk import diagnose, initialize
from initsk.exceptions import InvalidParameterError
from initsk.network import MLP
from initsk.report import describe_findings
from tests.helpers import build

X, Y = load_digits(return_X_y=True)
XT, YT = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(Y)


def mlp():
    module = build(lambda: MLP(64, 10, (32, 32)))
    initialize(module, "he_normal", random_state=0)
    return module


def test_every_form_of_an_optimizer_is_the_same_optimizer():
    module = mlp()
    forms = {
        "name": {"optimizer": "adam", "lr": 0.003},
        "class": {"optimizer": torch.optim.Adam, "lr": 0.003},
        "function": {"optimizer": partial(torch.optim.Adam, lr=0.003)},
        "instance": {"optimizer": torch.optim.Adam(module.parameters(), lr=0.003)},
    }
    found = {name: diagnose(module, XT, YT, **form) for name, form in forms.items()}
    assert len({diagnosis.score for diagnosis in found.values()}) == 1
    assert {diagnosis.lr for diagnosis in found.values()} == {0.003}
    assert {diagnosis.optimizer for diagnosis in found.values()} == {"Adam"}
    assert diagnose(module, XT, YT).optimizer == "Adam"


def test_settings_and_state_of_an_optimizer_are_copied():
    module = mlp()
    groups = [{"params": module.hidden_1.parameters(), "lr": 0.0}, {"params": module.output.parameters()}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    nn.functional.cross_entropy(module(XT), YT).backward()
    optimizer.step()
    state = {key: value["momentum_buffer"].clone() for key, value in optimizer.state.items()}
    diagnosis = diagnose(module, XT, YT, optimizer=optimizer, trial_steps=4)
    assert all(torch.equal(optimizer.state[key]["momentum_buffer"], value) for key, value in state.items())
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.1]
    # The other layers are not in the optimizer, and stay; the first group has the rate 0.
    after = diagnosis.outcome.module
    for name in ("hidden_1", "hidden_2"):
        assert torch.equal(after.get_submodule(name).weight, module.get_submodule(name).weight)
    assert not torch.equal(after.output.weight, module.output.weight)


def test_a_learning_rate_scales_all_groups():
    module = mlp()
    groups = [{"params": module.hidden_1.parameters(), "lr": 0.01}, {"params": module.output.parameters(), "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    moved = diagnose(module, XT, YT, optimizer=optimizer, lr=0.02, trial_steps=1, budget=2).outcome.module
    one = diagnose(module, XT, YT, optimizer=optimizer, trial_steps=1, budget=2).outcome.module
    for layer in ("hidden_1", "output"):
        start, twice, once = (part.get_submodule(layer).weight for part in (module, moved, one))
        torch.testing.assert_close(twice - start, 2 * (once - start), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("rates", "lr", "group_rates", "words"),
    [
        ([0.1, 0.1], None, [0.1, 0.1], "rate 0.1."),
        ([1e-5, 0.1], None, [1e-5, 0.1], "rate 1e-05 (1e-05 to 0.1 over the groups of parameters)."),
        ([0.0, 0.1], None, [0.0, 0.1], "rate 0.1 (0 to 0.1 over the groups of parameters)."),
        ([0.01, 0.1], 0.02, [0.02, 0.2], "rate 0.02 (0.02 to 0.2 over the groups of parameters)."),
    ],
)
def test_rates_of_groups_are_named(rates, lr, group_rates, words):
    module = mlp()
    layers = (module.hidden_1, module.output)
    groups = [{"params": layer.parameters(), "lr": rate} for layer, rate in zip(layers, rates, strict=True)]
    diagnosis = diagnose(module, XT, YT, optimizer=torch.optim.SGD(groups), lr=lr, trial_steps=1, budget=2)
    assert diagnosis.group_rates == pytest.approx(group_rates)
    assert diagnosis.lr == next(rate for rate in diagnosis.group_rates if rate > 0)
    assert words in str(diagnosis)


def test_an_optimizer_of_another_model_is_refused():
    other = torch.optim.SGD(mlp().parameters(), lr=0.1)
    with pytest.raises(InvalidParameterError, match="no parameter of the model"):
        diagnose(mlp(), XT, YT, optimizer=other)
    with pytest.raises(InvalidParameterError, match=r"returns list.*returns a torch optimizer"):
        diagnose(mlp(), XT, YT, optimizer=list)


def test_optimizers_that_evaluate_the_loss_again_are_followed():
    # On one batch, so that the steps follow one function.
    diagnosis = diagnose(mlp(), iter([(XT, YT)]), optimizer=torch.optim.LBFGS, lr=0.1, trial_steps=4, budget=8)
    assert diagnosis.trial["loss"].is_monotonic_decreasing


def test_an_optimizer_with_attributes_of_its_own_is_copied():
    module = mlp()
    optimizer = torch.optim.LBFGS(module.parameters(), lr=0.1)
    diagnosis = diagnose(module, iter([(XT, YT)]), optimizer=optimizer, trial_steps=3, budget=6)
    assert diagnosis.trial["loss"].is_monotonic_decreasing
    assert not optimizer.state


class SignDescent(torch.optim.Optimizer):
    """An optimizer whose step takes no closure."""

    def __init__(self, parameters, lr=1e-3):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(group["lr"] * parameter.grad.sign())


def test_a_step_without_a_closure():
    diagnosis = diagnose(mlp(), XT, YT, optimizer=SignDescent, lr=1e-3, trial_steps=16, budget=16)
    losses = diagnosis.trial["loss"]
    assert losses.iloc[-1] < losses.iloc[0]


def test_layers_that_the_optimizer_does_not_have_are_noted():
    net = build(lambda: nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 10)))
    parameters = [*net[0].parameters(), *net[4].parameters()]
    for optimizer in (torch.optim.Adam(parameters, lr=0.01), lambda given: torch.optim.Adam(given[:2] + given[4:])):
        found = describe_findings(diagnose(net, XT, YT, optimizer=optimizer, lr=0.01, trial_steps=4, budget=8))
        found = found[found["kind"] == "left out"]
        assert found[["layer", "value", "decides"]].to_numpy().tolist() == [["2", 17 * 8, False]]
        assert "layer 2 stay as they are, because the optimizer" in found["evidence"].item()
    net[2].requires_grad_(False)
    found = diagnose(net, XT, YT, optimizer=torch.optim.Adam(parameters, lr=0.01), trial_steps=4, budget=8)
    assert "left out" not in found.findings()["kind"].tolist()
