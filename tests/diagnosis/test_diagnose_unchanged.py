"""A diagnosis depends on no context of torch, copies hooks and criteria, and changes nothing of the caller."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from initsk import diagnose
from initsk.network import copy_of_module
from tests.helpers import batch, build

X = batch(120, 6)
Y = (X[:, 0] > 0).long() + (X[:, 1] > 0).long()
FAST = {"lr": 0.01, "trial_steps": 8, "budget": 16, "batch_size": 20}


def mlp():
    return build(lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))).float()


def in_default_type():
    before = torch.get_default_dtype()

    class Context:
        def __enter__(self):
            torch.set_default_dtype(torch.float64)

        def __exit__(self, *_):
            torch.set_default_dtype(before)

    return Context()


CONTEXTS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "device": lambda: torch.device("meta"),
    "default type": in_default_type,
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_contexts_of_torch_make_no_difference(name):
    net, expected = mlp(), diagnose(mlp(), X.float(), Y, **FAST)
    rates, recommended = expected.learning_rates([0.1]), expected.recommended_score
    with CONTEXTS[name]():
        found = diagnose(net, X.float(), Y, **FAST)
        found_rates = found.learning_rates([0.1])
        found_recommended = found.recommended_score
        found_after = found.after_trial.coherence.size
    assert found.trial.equals(expected.trial)
    assert found.contributions().equals(expected.contributions())
    assert found_rates.equals(rates)
    assert (found_recommended, found_after) == (recommended, expected.after_trial.coherence.size)


@pytest.mark.parametrize("register", ["register_hook", "register_post_accumulate_grad_hook"])
def test_hooks_of_parameters_are_part_of_the_trial(register):
    frozen, hooked = mlp(), mlp()
    frozen[0].requires_grad_(False)

    def stop(given):
        if isinstance(given, nn.Parameter):
            given.grad.zero_()
            return None
        return given * 0

    for parameter in hooked[0].parameters():
        getattr(parameter, register)(stop)
    expected = diagnose(frozen, X.float(), Y, optimizer="sgd", **FAST)
    found = diagnose(hooked, X.float(), Y, optimizer="sgd", **FAST)
    assert found.trial["loss"].tolist() == expected.trial["loss"].tolist()


def test_hooks_of_a_copy_refer_to_the_copy():
    class Remembers(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.seen = []
            self.weight.register_hook(self.see)
            self.register_forward_hook(lambda part, given, output: part.seen.append("forward"))

        def see(self, gradient):
            self.seen.append("gradient")

    net = build(Remembers)
    copied = copy_of_module(net)
    copied(batch(3, 2)).sum().backward()
    assert (copied.seen, net.seen) == (["forward", "gradient"], [])


def test_hooks_and_schedulers_of_an_optimizer_are_those_of_its_copy():
    net, clipped = mlp(), []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)  # puts a function in the place of `step`

    def stop(given, *_):
        clipped.append(given)
        for parameter in given.param_groups[0]["params"]:
            parameter.grad.zero_()

    optimizer.register_step_pre_hook(stop)
    nn.functional.cross_entropy(net(X.float()), Y).backward()
    before = copy.deepcopy(net.state_dict())
    gradients = [parameter.grad.clone() for parameter in net.parameters()]
    found = diagnose(net, X.float(), Y, optimizer=optimizer, **FAST | {"lr": None})
    assert len(clipped) == len(found.trial)
    assert all(given is not optimizer for given in clipped)
    assert found.trial["update_ratio"].dropna().eq(0).all()
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
    assert all(torch.equal(p.grad, gradient) for p, gradient in zip(net.parameters(), gradients, strict=True))


class Penalized(nn.Module):
    """Cross-entropy with weights of its own, a count of its calls, and a penalty on a layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.scale = layer, nn.Parameter(torch.ones(3))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, scores, y):
        self.calls += 1
        return nn.functional.cross_entropy(scores * self.scale, y) + 0.1 * self.layer.weight.square().sum()


@pytest.mark.parametrize("kind", ["module", "method", "function"])
def test_criteria_with_parameters_stay_as_they_are(kind):
    net = mlp()
    criterion = Penalized(net[0])
    given = {"module": criterion, "method": criterion.forward, "function": lambda *pair: criterion(*pair)}[kind]
    found = diagnose(net, X.float(), Y, criterion=given, optimizer="sgd", **FAST)
    held = [*net.parameters(), *criterion.parameters()]
    assert all(parameter.grad is None for parameter in held)
    if kind == "function":
        return
    assert criterion.calls == 0
    # The penalty is that of the layer of the copy, which shrinks.
    trained = copy.deepcopy(net)
    loss, optimizer = Penalized(trained[0]), torch.optim.SGD(trained.parameters(), lr=0.01)
    for part in found.setup.samples.cycle(8):
        optimizer.zero_grad()
        loss(part.run(trained), part.target).backward()
        optimizer.step()
    values = dict(found.outcome.module.named_parameters())
    torch.testing.assert_close(dict(trained.named_parameters()), values)


def test_an_optimizer_of_other_parameters_takes_no_step():
    net = mlp()
    criterion = Penalized(net[0])
    nn.functional.cross_entropy(net(X.float()), Y).backward()
    before = copy.deepcopy(net.state_dict())

    def with_criterion(parameters):
        return torch.optim.SGD([*parameters, *criterion.parameters()], lr=0.01)

    diagnose(net, X.float(), Y, criterion=criterion, optimizer=with_criterion, **FAST)
    assert criterion.scale.equal(torch.ones(3))
    with pytest.raises(Exception, match="optimizer has no parameter of the model"):
        diagnose(net, X.float(), Y, optimizer=lambda _: torch.optim.SGD(net.parameters(), lr=0.1), **FAST)
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
    assert diagnose(net, X.float(), Y, optimizer=partial(torch.optim.SGD, momentum=0.9), **FAST).optimizer == "SGD"
