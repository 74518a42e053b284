"""Steps of forward passes, and the reading of one pass in the mode of the caller."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it

from initsk import inspect_activations
from initsk.network import ForwardFollower, as_batch, read, read_pass
from tests.helpers import Net, batch, build, fc, hooks_of


class Noting(ForwardFollower):
    """Note the name of the module and of the function of each step."""

    def start_pass(self):
        super().start_pass()
        self.noted = []

    def on_function(self, function, args, kwargs):
        self.noted.append((self.names[self.parts[-1]], function.__name__))
        return function(*args, **kwargs)

    def on_leave(self, part, arguments, output):
        self.noted.append((self.names[part], None))


def steps_of(net, X):
    follower = Noting(net)
    with follower.following():
        follower.start_pass()
        net(X)
        torch.relu(X)
    assert follower.n_steps == len(follower.noted)
    return follower.noted


def test_steps_are_functions_and_ends_of_modules():
    net = Net(lambda self, x: self.fc(x).relu().reshape(x.shape), fc=fc())
    expected = [("fc", "linear"), ("fc", None), ("", "relu"), ("", "reshape"), ("", None)]
    assert steps_of(net, batch(4, 1)) == expected
    reading = read_pass(net, as_batch(net, batch(4, 1)), training=False, gradients=False)
    found = [(step.module, step.function and step.function.__name__) for step in reading.steps]
    assert found == [({"fc": net.fc, "": net}[name], function) for name, function in expected]


def test_hooks_of_users_run_and_are_no_steps():
    net = Net(lambda self, x: self.fc(x).relu(), fc=fc())
    before = steps_of(net, batch(4, 1))
    calls = []
    handles = [
        net.fc.register_forward_hook(lambda part, args, output: (calls.append("after"), output.tanh())[1]),
        net.fc.register_forward_pre_hook(lambda part, args: calls.append(args[0].exp() is not None)),
    ]
    held = hooks_of(net)
    assert steps_of(net, batch(4, 1)) == before
    assert calls == [True, "after"]
    assert hooks_of(net) == held
    for handle in handles:
        handle.remove()
    assert hooks_of(net) == {}


def test_hooks_that_a_forward_pass_removes_do_not_come_back():
    net = Net(lambda self, x: (self.handle.remove(), self.fc(x))[1], fc=fc())
    net.handle = net.fc.register_forward_hook(lambda *_: None)
    steps_of(net, batch(4, 1))
    assert hooks_of(net) == {}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("gradients", [False, True])
def test_a_pass_is_read_in_the_mode_of_the_caller(training, gradients):
    seen = []

    def forward(self, x):
        seen.append((self.training, torch.is_grad_enabled(), len(x)))
        return self.norm(self.fc(x))

    net = Net(forward, fc=fc(), norm=nn.BatchNorm1d(1))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for whole, n_rows in ((False, 2), (True, 6)):
        found = as_batch(net, batch(6, 1))
        read_pass(net, found, training=training, gradients=gradients, whole=whole)
        assert seen.pop() == (training, gradients, n_rows)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x: F.relu(x * 3), ["relu"]),
        (lambda x: F.relu(F.relu(x) - 1), ["relu", "relu"]),
        (lambda x: F.relu(x) ** 2 * 5, ["relu_squared"]),
        (lambda x: 2 * (x * x.sigmoid()) + 1, ["silu"]),
        (lambda x: x.tanh() + x.relu(), ["tanh", "relu"]),
        (lambda x: x + torch.sin(x) ** 2, ["add of pow of sin"]),
        (lambda x: torch.tanh(x, out=torch.empty(x.shape)), ["tanh"]),
        (lambda x: x.clamp(0, 1).clamp(max=0), []),
        (lambda x: torch.sigmoid(torch.arange(4.0)) * x, []),
    ],
)
def test_completed_functions_are_without_the_factors_and_shifts_before_them(function, names):
    net = Net(lambda self, x: self.out(function(self.fc(x))), fc=build(lambda: nn.Linear(3, 4)),
              out=build(lambda: nn.Linear(4, 2)))  # fmt: skip
    found = as_batch(net, batch(6, 3))
    reading = read_pass(net, found, training=False, gradients=False)
    completed = [operation.completed for operation in reading.graph.operations if operation.completed is not None]
    assert [one.name for one in completed] == names
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    known = {"relu": F.relu, "relu_squared": lambda x: F.relu(x) ** 2, "silu": F.silu, "tanh": torch.tanh}
    for one in completed:
        if one.name in known:
            torch.testing.assert_close(one.function(x), known[one.name](x))


class Rescaling(nn.Module):
    """Network that changes its parameters in a forward pass, as RWKV does in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.layer, self.other = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        with torch.no_grad():
            self.layer.weight.div_(2)
            self.layer.bias += 1
            self.other.weight.data[0] = 0.0
            self.other.bias.data = torch.ones(3)
        return self.other(self.layer(x))


@pytest.mark.parametrize("use", [read, lambda network: inspect_activations(network, batch(4, 3))])
def test_parameters_that_a_forward_pass_writes_into_get_their_values_back(use):
    network = build(Rescaling)
    before = {name: (value, value.clone(), value.data_ptr()) for name, value in network.named_parameters()}
    use(network)
    for name, value in network.named_parameters():
        parameter, values, address = before[name]
        assert value is parameter
        assert value.data_ptr() == address
        assert torch.equal(value, values)
