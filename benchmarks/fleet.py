"""Train many networks of one architecture at once, on the same batches: one large product, not many small ones.

A fleet stacks the parameters of its networks along a first axis. Every step gives each network the result that it would
have if it were trained by itself.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from initsk.datasets import load_mnist
from initsk.network import make_activation

BATCH = 64


class Block(nn.Module):
    """The branch of a residual block: two layers."""

    def __init__(self, width, activation):
        super().__init__()
        self.first, self.activation, self.second = (
            nn.Linear(width, width), make_activation(activation), nn.Linear(width, width)
        )  # fmt: skip

    def forward(self, x):
        """Return the signal plus the output of the two layers."""
        return x + self.second(self.activation(self.first(x)))


def network(n_features, n_classes, activation, depth, width, residual=False):
    """Return a network with `depth` layers before the output."""
    activation = torch.sin if activation == "sin" else activation
    first = [nn.Linear(n_features, width), make_activation(activation)]
    if residual:
        rest = [Block(width, activation) for _ in range((depth - 1) // 2)]
    else:
        rest = [part for _ in range(depth - 1) for part in (nn.Linear(width, width), make_activation(activation))]
    return nn.Sequential(*first, *rest, nn.Linear(width, n_classes))


def load(name):
    """Return X and y of ``digits`` or ``mnist`` for training, and X and y for testing; every feature has mean 0."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X / 16, y, test_size=600, random_state=0, stratify=y)
    else:
        (X, y), (X_test, y_test) = (load_mnist(split=split, return_X_y=True) for split in ("train", "test"))
        X, X_test = X / 255, X_test / 255
    mean, std = X.mean(), X.std()
    X, X_test = (torch.tensor((part - mean) / std, dtype=torch.float32) for part in (X, X_test))
    return X, torch.tensor(y), X_test, torch.tensor(y_test)


class Fleet:
    """Networks that are trained at the same time.

    Parameters
    ----------
    modules : list of torch.nn.Module
        The networks, of one architecture.
    rates : list of float
        The learning rate of each network.
    optimizer : {"adam", "sgd"}
        The optimizer of torch with its defaults; "sgd" has momentum 0.9.
    """

    def __init__(self, modules, rates, optimizer="adam"):
        stacked, _ = stack_module_state(modules)
        self.parameters = {name: values.detach().requires_grad_() for name, values in stacked.items()}
        self.rates, self.optimizer, self.steps = torch.tensor(rates), optimizer, 0
        self.first = [torch.zeros_like(p) for p in self.parameters.values()]
        self.second = [torch.zeros_like(p) for p in self.parameters.values()] if optimizer == "adam" else []
        self.forward = vmap(lambda values, x: functional_call(modules[0], values, (x,)), in_dims=(0, None))

    def step(self, x, y):
        """Take a step of the optimizer on a batch."""
        logits = self.forward(self.parameters, x)
        losses = nn.functional.cross_entropy(logits.flatten(0, 1), y.repeat(len(logits)), reduction="sum") / len(y)
        gradients = torch.autograd.grad(losses, list(self.parameters.values()))
        self.steps += 1
        with torch.no_grad():
            for number, (p, g) in enumerate(zip(self.parameters.values(), gradients, strict=True)):
                p.sub_(self.rates.view(-1, *[1] * (p.ndim - 1)) * self._direction(number, g))

    def _direction(self, number, g):
        first = self.first[number]
        if self.optimizer == "sgd":
            return first.mul_(0.9).add_(g)
        second = self.second[number]
        first.lerp_(g, 0.1)
        second.lerp_(g * g, 0.001)
        return first / (1 - 0.9**self.steps) / ((second / (1 - 0.999**self.steps)).sqrt_().add_(1e-8))

    def accuracies(self, X, y):
        """Return the accuracy of each network; a network with scores that are not finite has accuracy 0."""
        right = 0
        with torch.no_grad():
            for rows in torch.arange(len(X)).split(1000):
                logits = self.forward(self.parameters, X[rows])
                logits = torch.where(logits.isfinite().all(-1, keepdim=True), logits, -1.0)
                right = right + ((logits.argmax(-1) == y[rows]) & logits.isfinite().all(-1)).sum(1)
        return (right / len(X)).tolist()


def train(modules, rates, X, y, steps, optimizer="adam", seed=0):
    """Train a fleet on the same batches, and return it."""
    fleet = Fleet(modules, rates, optimizer)
    random = np.random.default_rng(seed)
    order = np.concatenate([random.permutation(len(X)) for _ in range(-(-steps * BATCH // len(X)))])
    for rows in torch.tensor(order[: steps * BATCH]).split(BATCH):
        fleet.step(X[rows], y[rows])
    return fleet
