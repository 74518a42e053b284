"""Networks in plain torch, one for each way of writing a layer that is not a layer of torch; no library is needed."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tests.zoo.hand_written_sequences import SEQUENCE_ROWS
from tests.zoo.table import Architecture, images, values


def weight(*shape: int) -> nn.Parameter:
    """Return a parameter with normal values of standard deviation 0.1."""
    return nn.Parameter(0.1 * torch.randn(*shape))


class FunctionalLinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = weight(16, 8), weight(3, 16)
        self.shift = nn.Parameter(torch.zeros(16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(torch.relu(functional.linear(x, self.first, self.shift)), self.second)


class MatrixProduct(nn.Module):
    """Weights of shape (in, out), as in Keras and JAX."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = weight(8, 16), weight(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x @ self.first) @ self.second


class EinsumExperts(nn.Module):
    """A soft mixture of experts, with weights of shape (experts, in, out)."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.up, self.down = nn.Linear(8, 4), weight(4, 8, 16), weight(4, 16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = functional.gelu(torch.einsum("bi,eio->beo", x, self.up))
        results = torch.einsum("beo,eoi->bei", hidden, self.down)
        return x + torch.einsum("be,bei->bi", self.router(x).softmax(-1), results)


class BatchedExperts(nn.Module):
    """Experts as batches of a matrix product, in a loop over layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ParameterList([weight(4, 8, 8) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.expand(4, *x.shape)
        for layer in self.layers:
            x = torch.relu(torch.bmm(x, layer))
        return x.mean(0)


class GatedMLP(nn.Module):
    """A SwiGLU block: one product gates the other."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.down = (nn.Linear(*sizes, bias=False) for sizes in ((8, 24), (8, 24), (24, 8)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(functional.silu(self.gate(x)) * self.up(x))


class LowRankPair(nn.Module):
    """A weight that is the product of two narrow matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.head = weight(16, 2), weight(2, 8), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(functional.linear(x, self.left @ self.right)))


def dcgan_generator() -> nn.Module:
    """Return the generator of DCGAN: kernels of 4, strides of 2."""
    return nn.Sequential(
        nn.ConvTranspose2d(10, 32, 4, 1, 0, bias=False), nn.BatchNorm2d(32), nn.ReLU(True),
        nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
        nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
        nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False), nn.Tanh(),
    )  # fmt: skip


class WrittenGELU(nn.Module):
    """GELU in its tanh approximation, written with elementary functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x)
        return self.second(0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3))))


class SquaredReLU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(torch.relu(self.first(x)) ** 2)


class UNet(nn.Module):
    """Two resolutions; the finer one is passed on by concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.down = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.up, self.leave = nn.ConvTranspose2d(16, 8, 2, stride=2), nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = torch.relu(self.enter(x))
        coarse = torch.relu(self.down(fine))
        return self.leave(torch.cat([fine, torch.relu(self.up(coarse))], dim=1))


class DataDependentPath(nn.Module):
    """A condition on values, which symbolic tracing cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.other, self.head = nn.Linear(8, 16), nn.Linear(8, 16), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(x)) if x.sum() > 0 else torch.tanh(self.other(x))
        return self.head(hidden)


class FourierLayer(nn.Module):
    """A product with complex weights in the Fourier space, beside a convolution of width one."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.leave, self.beside = nn.Linear(1, 8), nn.Linear(8, 1), nn.Conv1d(8, 8, 1)
        self.spectral = nn.Parameter(torch.randn(8, 8, 5, dtype=torch.cfloat) / 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.enter(x.unsqueeze(-1)).transpose(1, 2)
        modes = torch.einsum("bim,iom->bom", torch.fft.rfft(h)[..., :5], self.spectral)
        h = functional.gelu(torch.fft.irfft(modes, n=h.shape[-1]) + self.beside(h))
        return self.leave(h.transpose(1, 2)).squeeze(-1)


def old_weight_norm() -> nn.Module:
    """Return a network under the first form of weight normalization, whose parameters are weight_g and weight_v."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        first = torch.nn.utils.weight_norm(nn.Linear(8, 16))
    return nn.Sequential(first, nn.ReLU(), nn.Linear(16, 3))


class Maxout(nn.Module):
    """The largest of three linear functions per unit."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces, self.head = nn.Linear(8, 16 * 3), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pieces(x).unflatten(-1, (16, 3)).amax(-1))


def row(
    name: str, build: Callable[[], nn.Module], inputs: Callable[[], Any], family: str = "MLP", **facts: Any
) -> Architecture:
    return Architecture(name, family, "torch", build, inputs, **facts)


def vectors() -> torch.Tensor:
    return values(2, 8)


ROWS = [
    row("functional linear", FunctionalLinear, vectors, branches=0, depth=2, activations=("relu",)),
    row("matrix product (in, out)", MatrixProduct, vectors, branches=0, depth=2, activations=("tanh",)),
    row(
        "einsum experts", EinsumExperts, vectors, "mixture of experts", branches=1, depth=0, activations=("gelu",)
    ),
    row("bmm experts", BatchedExperts, vectors, "mixture of experts", branches=0, depth=3, activations=("relu",)),
    row("SwiGLU block", GatedMLP, vectors, branches=1, depth=0, activations=("silu",)),
    # The product of the two matrices is one layer for the signal; whether it counts as two is a matter of definition.
    row("low-rank pair", LowRankPair, vectors, branches=0, activations=("relu",)),
    row(
        "DCGAN generator", dcgan_generator, images(1, 10), "generator",
        branches=0, depth=4, activations=("relu", "tanh"),
    ),
    row("GELU by hand", WrittenGELU, vectors, branches=0, depth=2, activations=("gelu",)),
    row("squared ReLU", SquaredReLU, vectors, branches=1, depth=0, activations=("relu_squared",)),
    row("U-Net", UNet, images(8), "CNN", branches=0, depth=2, activations=("relu",)),
    row(
        "condition on values", DataDependentPath, lambda: values(2, 8).abs(), branches=0, depth=2,
        activations=("relu",), left_reason="a batch takes one of two paths; the layer `other` does not run",
    ),
    row("Fourier layer", FourierLayer, lambda: values(2, 16), "operator", depth=3, activations=("gelu",)),
    row("old weight norm", old_weight_norm, vectors, branches=0, depth=2, activations=("relu",)),
    row("maxout", Maxout, vectors, branches=0, depth=2),
    *SEQUENCE_ROWS,
]  # fmt: skip
