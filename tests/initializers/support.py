"""Modules and measurements for the tests of initializers."""

import copy

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from torch.nn.functional import cross_entropy

from initsk import initialize
from initsk.initializers import (
    LSUV,
    DataDependentWeightNorm,
    GradInit,
    MetaInit,
    RandomNormal,
    WithinLayer,
)
from initsk.network import MLP
from tests.helpers import build, hooks_of


class Decoder(nn.Module):
    """GPT-like network; torch.fx cannot trace it as a whole, because it checks a shape."""

    def __init__(self, depth=3, width=40):
        super().__init__()
        self.embed, self.place = nn.Embedding(50, width), nn.Embedding(8, width)
        self.blocks = nn.ModuleList([DecoderBlock(width) for _ in range(depth)])
        self.head = nn.Linear(width, 50)

    def forward(self, tokens):
        if tokens.shape[1] > 8:
            raise ValueError("too long")
        x = self.embed(tokens) + self.place(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class DecoderBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


DATA_DEPENDENT = [LSUV(), LSUV(remove_mean=True), DataDependentWeightNorm(), WithinLayer(), WithinLayer("kmeans")]


def outputs(module, X):
    """Return the outputs of each affine layer at each call, in evaluation mode."""
    found = {}

    def keep(name):
        return lambda layer, arguments, output: found.setdefault(name, []).append(output.detach().double())

    layers = (nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
    handles = [
        part.register_forward_hook(keep(name)) for name, part in module.named_modules() if isinstance(part, layers)
    ]
    modes = {part: part.training for part in module.modules()}
    with torch.no_grad():
        module.eval()(*X) if isinstance(X, tuple) else module.eval()(X)
    for part, mode in modes.items():
        part.training = mode
    for handle in handles:
        handle.remove()
    return found


def values_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def state(module):
    """Return copies of all values, and the hooks, modes and attributes of all parts."""
    hooks = [hooks_of(module), *((p.training, sorted(vars(p))) for p in module.modules())]
    return values_of(module), hooks


def assert_same_state(module, before):
    values, hooks = state(module)
    assert hooks == before[1]
    # The comparison of bytes treats NaN as equal to itself.
    assert all(value.numpy().tobytes() == before[0][name].numpy().tobytes() for name, value in values.items())


NETWORKS = {
    "dense": (lambda: MLP(12, 3, (20, 8)), (100, 12)),
    "steps": (lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)), (40, 5, 6)),
    "Conv1d": (lambda: nn.Sequential(nn.Conv1d(4, 6, 3, padding="same", dilation=2), nn.ReLU()), (40, 4, 9)),
    "Conv2d": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=(1, 0)), nn.ReLU()), (40, 4, 9, 8)),
    "Conv3d": (lambda: nn.Sequential(nn.Conv3d(2, 40, 2), nn.ReLU()), (40, 2, 3, 4, 3)),
    "circular": (lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (40, 3, 6, 6)),
    "grouped": (lambda: nn.Conv2d(6, 9, (3, 2), groups=3), (40, 6, 6, 6)),
    "transposed": (lambda: nn.ConvTranspose2d(6, 9, 3, stride=2, groups=3), (40, 6, 4, 4)),
}


EXPLOSIVE = RandomNormal(1.0)
# With this bound, GradInit follows the norm of the gradient from the first step on.
GRADIENT_SCHEMES = [GradInit(gamma=1e-9, n_steps=2), MetaInit(n_steps=2)]


def data(n=48, n_features=6):
    X = torch.randn(n, n_features, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return X, (X[:, 0] > 0).long() + (X[:, 1] > 0).long()


def small(hidden=(8, 8)):
    return build(lambda: MLP(6, 3, hidden, activation="tanh").double())


def digits():
    X, y = load_digits(return_X_y=True)
    return torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)


def weights(module):
    return {name: p.detach().clone() for name, p in module.named_parameters() if p.dim() > 1}


def fitted(module, initializer, X, y, seed=0):
    """Initialize a module on a batch and return it."""
    initialize(module, initializer, X=X, y=y, random_state=seed)
    return module


def fitted_copy(module, initializer, X, y):
    return fitted(copy.deepcopy(module), initializer, X, y)


def factors_of(module, scheme, X, y, seed=0):
    """Return the factor of each weight, and check that the weight is the base's times this factor."""
    base = weights(fitted(copy.deepcopy(module), scheme.base, X, y, seed))
    found = {}
    for name, after in weights(fitted(module, scheme, X, y, seed)).items():
        wide = torch.complex128 if after.is_complex() else torch.float64
        factor = (after.to(wide).norm() / base[name].to(wide).norm()).item()
        # The rounding of the multiplication and of the norms.
        accuracy = 8 * torch.finfo(after.dtype).eps
        torch.testing.assert_close(after, base[name] * factor, rtol=accuracy, atol=0)
        found[name] = factor
    return found


def quotient(module, X, y, eps=1e-5):
    """Return the gradient quotient, computed with the explicit Hessian."""
    names, values = zip(*((n, p.detach()) for n, p in module.named_parameters()), strict=True)
    sizes = [v.numel() for v in values]

    def loss(flat):
        parts = [part.reshape(v.shape) for part, v in zip(flat.split(sizes), values, strict=True)]
        return cross_entropy(functional_call(module, dict(zip(names, parts, strict=True)), (X,)), y)

    flat = torch.cat([v.flatten() for v in values]).requires_grad_()
    g = torch.autograd.grad(loss(flat), flat)[0]
    hessian = torch.autograd.functional.hessian(loss, flat.detach())
    sign = torch.where(g >= 0, 1.0, -1.0)
    return ((g - hessian @ g) / (g + eps * sign) - 1).abs().mean().item()
