"""Every public function that runs a network leaves the network as it was, also after an error."""

import contextlib
import random
from collections import Counter, OrderedDict, deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.initializers import MetaInit
from tests.entry_points import entry_points
from tests.helpers import batch, build, hooks_of, params

X, Y = batch(24, 4), torch.arange(24) % 3
FUNCTIONS = entry_points(
    X, Y, "audit", "audit without X", "inspect", "gradients in training", "coherence", "read X", "read in training",
    "diagnose", "predict", "recommend by scores", "recommend by all scores",
)  # fmt: skip
# What sets the parameters changes nothing else.
SETTING = entry_points(X, Y, "initialize X", "lsuv") | {
    "initialize by gradients": lambda net: initialize(net, MetaInit(n_steps=2), X=X, y=Y),
}


class Memory:
    """An object of the user's own, with a tensor and a number."""

    def __init__(self):
        self.values, self.length = torch.zeros(3), 0


class Part(nn.Module):
    """Holds a thing that a forward pass changes."""

    def __init__(self, prepare, change):
        super().__init__()
        self.first, self.change = nn.Linear(4, 6), change
        self.thing = prepare(self)


class Changing(nn.Module):
    """Changes everything that its parts hold in each forward pass, then raises from a given number of passes on."""

    def __init__(self, passes=1000):
        super().__init__()
        self.parts = nn.ModuleDict({name: Part(*case) for name, case in CASES.items()})
        self.last = nn.Linear(6, 3)
        self.passes = [passes]

    def forward(self, x):
        self.passes[0] -= 1
        if not self.passes[0]:
            raise RuntimeError("the end")
        for part in self.parts.values():
            with torch.no_grad():
                part.change(part, x)
        return self.last(sum(torch.relu(part.first(x)) for part in self.parts.values()))


def values_in(value):
    """Return nested values as something that can be compared, with the identity of tensors."""
    if isinstance(value, torch.Tensor):
        flags = (id(value), tuple(value.shape), value.requires_grad, value.grad_fn)
        return (*flags, value.tolist(), values_in(value.grad) if value.is_leaf else None)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return [(values_in(key), values_in(part)) for key, part in value.items()]
    if isinstance(value, list | tuple | deque):
        return [values_in(part) for part in value]
    if isinstance(value, torch.Generator):
        return value.get_state().tolist()
    if isinstance(value, np.random.Generator):
        return str(value.bit_generator.state)
    if isinstance(value, np.random.RandomState | random.Random):
        return str(value.get_state() if isinstance(value, np.random.RandomState) else value.getstate())
    if isinstance(value, torch.optim.Optimizer):
        return values_in(list(value.state.values()))
    if isinstance(value, Memory | SimpleNamespace):
        return values_in(vars(value))
    return value


def buffered(net, tensor):
    net.register_buffer("kept", tensor)


def moments(net, x):
    net.kept.mul_(0.9).add_(0.1 * x.mean(0))


def with_gradient(net, x):
    with torch.enable_grad():
        net.thing.add_(net.first(x).mean())


def backward(net, x):
    with torch.enable_grad():
        net.first(x).square().sum().backward()


def step(net, x):
    backward(net, x)
    net.thing.step()


def resize(net, x):
    net.thing.resize_(7).fill_(1)


def other_memory(net, x):
    net.thing.data = torch.ones(5)


def wrap_twice(net, x):
    net.thing[0].append(x)
    net.thing[1]["a"].add_(1)


def hooked(net, x):
    net.first.register_forward_hook(lambda *_: None)


def oldest_last(net, x):
    net.thing.move_to_end("a")


def grow(net, x):
    net.thing.values.add_(1)
    net.thing.length += 1


CASES = {
    "a buffer in place": (lambda net: buffered(net, torch.zeros(4)), moments),
    "a buffer replaced": (lambda net: buffered(net, torch.zeros(4)), lambda net, x: setattr(net, "kept", x[0])),
    "a tensor in place": (lambda net: torch.zeros(4), lambda net, x: net.thing.add_(1)),
    "a part of a tensor": (lambda net: torch.zeros(4), lambda net, x: net.thing[:2].fill_(1)),
    "a tensor under numpy": (lambda net: torch.zeros(4), lambda net, x: net.thing.numpy().fill(1)),
    "a tensor resized": (lambda net: torch.zeros(4), resize),
    "a tensor with other memory": (lambda net: torch.zeros(4), other_memory),
    "a tensor that gets a gradient": (lambda net: torch.zeros(4), with_gradient),
    "a tensor replaced": (lambda net: torch.zeros(4), lambda net, x: setattr(net, "thing", net.thing + 1)),
    "tensors in a list": (lambda net: [torch.zeros(4)], lambda net, x: net.thing[0].add_(1)),
    "tensors in a tuple": (lambda net: (torch.zeros(4),), lambda net, x: net.thing[0].add_(1)),
    "tensors in nested containers": (lambda net: [[], {"a": torch.zeros(4)}], wrap_twice),
    "a queue": (lambda net: deque([torch.zeros(4)], maxlen=2), lambda net, x: net.thing.append(x)),
    "tensors in a queue": (lambda net: deque([torch.zeros(4)]), lambda net, x: net.thing[0].add_(1)),
    "a counter": (lambda net: Counter(a=2), lambda net, x: net.thing.update("a")),
    "an order": (lambda net: OrderedDict(a=1, b=2), oldest_last),
    "an object": (lambda net: Memory(), grow),
    "a namespace": (lambda net: SimpleNamespace(values=torch.zeros(3), length=0), grow),
    "an array": (lambda net: np.zeros(4), lambda net, x: net.thing.__iadd__(1)),
    "a module that is no part": (lambda net: [nn.BatchNorm1d(4)], lambda net, x: net.thing[0].train()(x)),
    "torch's generator": (
        lambda net: torch.Generator().manual_seed(5),
        lambda net, x: torch.rand(3, generator=net.thing),
    ),
    "numpy's generator": (lambda net: np.random.default_rng(5), lambda net, x: net.thing.random()),
    "numpy's old generator": (lambda net: np.random.RandomState(5), lambda net, x: net.thing.rand()),
    "Python's generator": (lambda net: random.Random(5), lambda net, x: net.thing.random()),
    "gradients": (lambda net: None, backward),
    "gradients before": (lambda net: backward(net, X), backward),
    "an optimizer": (lambda net: torch.optim.Adam(net.first.parameters()), step),
    "a parameter": (lambda net: None, lambda net, x: net.first.weight.mul_(0.9)),
    "the mode": (lambda net: None, lambda net, x: net.eval()),
    "a hook": (lambda net: None, hooked),
    "a new part": (lambda net: None, lambda net, x: net.add_module("more", nn.Linear(2, 2))),
}


def state_of(net, *, parameters=True):
    """Return what a network holds, by value and by identity."""
    held = {"passes": net.passes[0], "parts": [name for name, _ in net.named_modules()]}
    for name, part in net.parts.items():
        for inside in part.thing if name == "a module that is no part" else [part]:
            held[name] = {
                "thing": values_in(getattr(part, "thing", None)) if inside is part else inside.training,
                "buffers": values_in(dict(inside.named_buffers())),
                "mode": inside.training,
                "hooks": hooks_of(inside),
                "required": [parameter.requires_grad for parameter in inside.parameters()],
                "parameters": values_in(dict(inside.named_parameters())) if parameters else None,
                "gradients": [values_in(parameter.grad) for parameter in inside.parameters()],
            }
    return held


def changes(before, after):
    return [name for name in before if before[name] != after[name]]


def test_each_part_changes():
    net = build(Changing)
    before = state_of(net)
    with torch.random.fork_rng():
        net(X)
    assert changes(before, state_of(net)) == list(before)


EVERY = params(FUNCTIONS | SETTING, slow={"recommend by all scores"})


@pytest.mark.parametrize("function", EVERY)
def test_the_network_stays(function):
    net = build(Changing)
    before = state_of(net, parameters=function in FUNCTIONS)
    (FUNCTIONS | SETTING)[function](net)
    assert changes(before, state_of(net, parameters=function in FUNCTIONS)) == []


@pytest.mark.parametrize("passes", params([1, 3], slow=[1]))
@pytest.mark.parametrize("function", EVERY)
def test_the_network_stays_after_an_error(function, passes):
    net = build(lambda: Changing(passes))
    before = state_of(net, parameters=function in FUNCTIONS)
    with contextlib.suppress(Exception):
        (FUNCTIONS | SETTING)[function](net)
    assert changes(before, state_of(net, parameters=function in FUNCTIONS)) == []
