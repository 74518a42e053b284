"""Modules that the checks initialize, with fans counted by hand, and tools of the checks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Any, NamedTuple

import torch
from torch import nn

from initsk.exceptions import InitskError
from initsk.initialization import InitializationRecord, initialize
from initsk.initializers import ExpectedMoments, Initializer
from initsk.network import ParameterSpec
from initsk.utils.random import isolated_torch_random


class Case(NamedTuple):
    """A layer, and the expected spec of one of its weights.

    `shape` is the shape of one block (group, gate or projection) as ``(out, in, *kernel)``, `block` is the name of the
    first gate or projection, and `place` is the place of the layer in a network without other layers.
    """

    label: str
    build: Callable[[], nn.Module]
    weight: str
    shape: tuple[int, ...]
    fan_in: int
    fan_out: int
    kind: str
    block: str = ""
    place: str = "output"


_TRANSPOSED = partial(nn.ConvTranspose2d, 40, 80, 5, groups=4)
_TRANSPOSED_3D = partial(nn.ConvTranspose3d, 20, 30, 3)
_ATTENTION = partial(nn.MultiheadAttention, 120, 4)
_OF_KEYS = partial(nn.MultiheadAttention, 120, 4, kdim=90)

LAYERS = (
    Case("Linear", lambda: nn.Linear(300, 200), "weight", (200, 300), 300, 200, "dense"),
    Case("Bilinear", lambda: nn.Bilinear(20, 30, 50), "weight", (50, 20, 30), 600, 1500, "bilinear"),
    Case("Conv1d", lambda: nn.Conv1d(60, 80, 5), "weight", (80, 60, 5), 300, 400, "convolution"),
    Case("Conv2d", lambda: nn.Conv2d(40, 60, 3), "weight", (60, 40, 3, 3), 360, 540, "convolution"),
    Case("Conv3d", lambda: nn.Conv3d(20, 30, 3), "weight", (30, 20, 3, 3, 3), 540, 810, "convolution"),
    Case("grouped", lambda: nn.Conv2d(40, 80, 5, groups=4), "weight", (20, 10, 5, 5), 250, 500, "convolution"),
    Case("depthwise", lambda: nn.Conv2d(40, 80, 15, groups=40), "weight", (2, 1, 15, 15), 225, 450, "convolution"),
    Case("ConvTranspose1d", lambda: nn.ConvTranspose1d(60, 80, 5), "weight", (80, 60, 5), 300, 400, "convolution"),
    Case("ConvTranspose2d", lambda: nn.ConvTranspose2d(40, 60, 3), "weight", (60, 40, 3, 3), 360, 540, "convolution"),
    Case("ConvTranspose3d", _TRANSPOSED_3D, "weight", (30, 20, 3, 3, 3), 540, 810, "convolution"),
    Case("grouped transposed", _TRANSPOSED, "weight", (20, 10, 5, 5), 250, 500, "convolution"),
    Case("Embedding", lambda: nn.Embedding(500, 60), "weight", (500, 60), 60, 60, "embedding", place="input"),
    Case("EmbeddingBag", lambda: nn.EmbeddingBag(500, 60), "weight", (500, 60), 60, 60, "embedding", place="input"),
    Case("RNN", lambda: nn.RNN(100, 200), "weight_ih_l0", (200, 100), 100, 200, "recurrent"),
    Case("LSTM", lambda: nn.LSTM(80, 90), "weight_ih_l0", (90, 80), 80, 90, "recurrent", "i"),
    Case("LSTM's projection", lambda: nn.LSTM(80, 190, proj_size=90), "weight_hr_l0", (90, 190), 190, 90, "recurrent"),
    Case("GRU", lambda: nn.GRU(80, 90), "weight_hh_l0", (90, 90), 90, 90, "recurrent", "r"),
    Case("RNNCell", lambda: nn.RNNCell(100, 200), "weight_hh", (200, 200), 200, 200, "recurrent"),
    Case("LSTMCell", lambda: nn.LSTMCell(80, 90), "weight_hh", (90, 90), 90, 90, "recurrent", "i"),
    Case("GRUCell", lambda: nn.GRUCell(80, 90), "weight_ih", (90, 80), 80, 90, "recurrent", "r"),
    Case("attention", _ATTENTION, "in_proj_weight", (120, 120), 120, 120, "attention", "q", "input"),
    Case("attention's keys", _OF_KEYS, "k_proj_weight", (120, 90), 90, 120, "attention", "k", "input"),
    Case("attention's output", _ATTENTION, "out_proj.weight", (120, 120), 120, 120, "attention", "o"),
)


class ResidualNet(nn.Module):
    """Network with batch normalization, a frozen layer, tied weights and a residual branch; inputs: (n, 6)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(8, 8)
        self.tied = nn.Linear(8, 8)
        self.tied.weight = self.first.weight
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores of three classes."""
        x = torch.relu(self.norm(self.stem(x)))
        x = x + self.second(torch.relu(self.first(x)))
        x = torch.relu(self.frozen(torch.relu(self.tied(x))))
        return self.head(x)


class TransformerNet(nn.Module):
    """Network with a transformer layer; inputs: (n, 6), taken as six steps."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(1, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores of three classes."""
        return self.head(self.layer(self.stem(x.unsqueeze(-1))).mean(dim=1))


def convolution_net() -> nn.Module:
    """Return a network of convolutions with at least as many outputs as inputs; inputs: (n, 6)."""
    convolutions = nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Conv1d(4, 4, 3, groups=2)
    return nn.Sequential(nn.Unflatten(1, (1, 6)), *convolutions, nn.AdaptiveAvgPool1d(1), nn.Flatten())


def upsampling_net() -> nn.Module:
    """Return a network of transposed convolutions; inputs: (n, 6)."""
    enlarging = nn.ConvTranspose1d(3, 3, 4, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose1d(3, 3, 3, groups=3)
    return nn.Sequential(nn.Unflatten(1, (3, 2)), *enlarging, nn.Flatten())


def square_net() -> nn.Module:
    """Return a network of square layers; inputs: (n, 6)."""
    return nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Dropout(0.1), nn.Linear(6, 6))


class Breaking(nn.Module):
    """Network whose forward pass raises after it has called all layers, except the first time, when it is read."""

    class Error(RuntimeError):
        """The error."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        # Not an attribute of the module itself, since a reading restores those.
        self.calls = Calls()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Call the network; raise from the second call on."""
        values: torch.Tensor = self.network(x)
        self.calls.number += 1
        if self.calls.number > 1:
            raise Breaking.Error("on purpose")
        return values


@dataclass
class Calls:
    """The number of calls."""

    number: int = 0


NETWORKS = (ResidualNet, TransformerNet, convolution_net, upsampling_net, square_net)


STANDARD_ERRORS = 6.0
SHAPES = ((40, 40), (60, 30), (30, 60), (24, 12, 3, 3), (12, 12, 3), (6, 6), (5,))


def require(initializer: Initializer, condition: bool, message: str) -> None:
    """Raise AssertionError with the initializer's repr if a condition is false."""
    if not condition:
        raise AssertionError(f"{initializer!r}: {message}")


def require_moments(initializer: Initializer, values: torch.Tensor, expected: ExpectedMoments, where: str) -> None:
    """Compare mean and variance with the expected moments; the tolerance follows from the sample size."""
    away = (values - expected.mean).flatten()
    square = away.abs().square()
    n = len(away)
    allowed = STANDARD_ERRORS * max(float(square.std()), sqrt(2) * expected.variance) / sqrt(n) + 1e-12
    found = float(square.mean())
    wrong = f"variance {found:g} at {where}, not {expected.variance:g}"
    require(initializer, abs(found - expected.variance) <= allowed, wrong)
    off = abs(complex(away.mean().item()))
    allowed = STANDARD_ERRORS * sqrt(expected.variance / n) + 1e-12
    require(initializer, off <= allowed, f"mean off by {off:g} at {where}, where {allowed:g} is allowed")


def draws(initializer: Initializer, shape: tuple[int, ...]) -> bool:
    """Return whether the initializer fills a shape; any error but `InitskError` fails the check."""
    try:
        initializer.sample(shape, random_state=0)
    except InitskError:
        return False
    except Exception as error:
        raise AssertionError(f"{initializer!r}: {shape} gave {type(error).__name__}: {error}") from error
    return True


def shapes(initializer: Initializer) -> list[tuple[int, ...]]:
    """Return the shapes that the initializer fills."""
    return [shape for shape in SHAPES if draws(initializer, shape)]


def expected_for(initializer: Initializer, spec: ParameterSpec) -> ExpectedMoments | None:
    """Return the expected moments for a spec; None if there are none, or the initializer cannot fill the spec."""
    try:
        return initializer.expected_moments(spec)
    except InitskError:
        return None


def build(factory: Callable[[], nn.Module]) -> nn.Module:
    """Build a module from a fixed seed, without changing the global random state."""
    with isolated_torch_random(0):
        return factory()


def apply(initializer: Initializer, module: nn.Module, **arguments: Any) -> InitializationRecord:
    """Initialize a module from a fixed seed, with a batch for initializers that need one."""
    X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
    return initialize(module, initializer, X=X, y=(X[:, :2] > 0).sum(dim=1), random_state=0, **arguments)


def fitting(initializer: Initializer) -> list[tuple[nn.Module, nn.Module]]:
    """Return the networks that the initializer can fill, each new and filled; the check fails if there is none."""
    found, errors = [], []
    for network in NETWORKS:
        filled = build(network)
        try:
            apply(initializer, filled)
            found.append((build(network), filled))
        except InitskError as error:
            errors.append(str(error))
    require(initializer, bool(found), f"it cannot fill any network: {errors}")
    return found


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of the parameters and buffers."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: value.detach().clone() for name, value in tensors}


def same_state(module: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    """Return whether all parameters and buffers have the values that `state` returned."""
    return all(torch.equal(value, before[name]) for name, value in state(module).items())
