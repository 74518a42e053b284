"""Activation functions are recognized by their values, however they are written."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from initsk import network
from initsk.theory import as_function
from tests.helpers import batch, build


class Applied(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function, self.first, self.second = function, nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.second(self.function(self.first(x)))


def read(function):
    return network.read(build(lambda: Applied(function)), batch(2, 4))


def gelu_by_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3))))


def shifted_sigmoid(x):
    return 1 / (1 + torch.exp(-x))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (gelu_by_tanh, "gelu"),
        (lambda x: x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0))), "gelu"),
        (lambda x: x * torch.sigmoid(x), "silu"),
        (lambda x: x * torch.sigmoid(1.702 * x), "quick_gelu"),
        (lambda x: torch.relu(x) ** 2, "relu_squared"),
        (lambda x: functional.relu(x).square(), "relu_squared"),
        (lambda x: x.clamp(min=0), "relu"),
        (lambda x: torch.where(x > 0, x, 0.01 * x), "leaky_relu"),
        (lambda x: torch.maximum(x, torch.zeros(())), "relu"),
        (lambda x: torch.maximum(x, torch.zeros_like(x)), "relu"),
        (lambda x: torch.maximum(torch.zeros(2, 4), x), "relu"),
        (lambda x: torch.where(x > 0, x, torch.zeros_like(x)), "relu"),
        (lambda x: torch.clamp(x, min=x.new_zeros(4)), "relu"),
        (lambda x: torch.where(x > torch.zeros_like(x), x, 0.01 * x), "leaky_relu"),
        (lambda x: torch.ones_like(x) / (torch.ones_like(x) + torch.exp(-x)), "sigmoid"),
        (lambda x: x / (1 + x.abs()), "softsign"),
        (shifted_sigmoid, "sigmoid"),
        (lambda x: x * torch.tanh(functional.softplus(x)), "mish"),
        (lambda x: functional.dropout(torch.relu_(x), 0.5, False), "relu"),
        (lambda x: torch.relu(x.double()).float(), "relu"),
    ],
)
def test_written_out_activation_functions_have_their_names(function, name):
    assert read(function).activations == [name]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 0.5 * x + 1,
        lambda x: x.reshape(-1, 2, 2).flatten(1),
        lambda x: functional.dropout(x, 0.5, False),
        lambda x: torch.softmax(x, -1),
        lambda x: functional.layer_norm(x, (4,)),
        lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6),
        lambda x: (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-6),
        lambda x: (x - x.amax(-1, keepdim=True)).exp() / (x - x.amax(-1, keepdim=True)).exp().sum(-1, keepdim=True),
        lambda x: x + torch.sin(torch.arange(4.0)),
        lambda x: x * torch.tanh(torch.ones(4)),
    ],
)
def test_what_is_no_function_of_one_value_is_no_activation_function(function):
    assert read(function).activations == []


def test_an_unknown_function_keeps_its_values():
    graph = read(lambda x: torch.exp(-(x**2)))
    (activation,) = [operation.activation for operation in graph.operations if operation.activation is not None]
    grid = torch.linspace(-2, 2, 9, dtype=torch.float64)
    assert as_function(activation)(grid.numpy()) == pytest.approx(torch.exp(-grid.square()).numpy())


def test_gates_are_activation_functions_of_their_own_half():
    graph = read(lambda x: functional.silu(x[:, :2]).repeat(1, 2) * x[:, 2:].repeat(1, 2))
    assert graph.activations == ["silu"]


def test_written_out_normalizations_are_normalizations():
    graph = read(lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))
    assert "normalization" in {operation.kind for operation in graph.operations}


class AboveBuffer(Applied):
    """The maximum of a signal and a buffer, whose values training may change."""

    def __init__(self):
        super().__init__(lambda x: torch.maximum(x, self.floor))
        self.register_buffer("floor", torch.zeros(4))


def test_equal_values_of_a_buffer_are_no_number():
    assert network.read(build(AboveBuffer), batch(2, 4)).activations == []
