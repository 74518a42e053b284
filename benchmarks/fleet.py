"""Train many networks of one architecture at once, on the same batches: one large product, not many small ones.

A fleet stacks the parameters of its networks along a first axis. Every step gives each network the result that it would
have if it were trained by itself.
"""

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from initsk.datasets import load_mnist
from initsk.network import make_activation

BATCH = 64


def network(n_features, n_classes, activation, depth, width):
    """Return a network with `depth` layers before the output."""
    activation = torch.sin if activation == "sin" else activation
    sizes = [n_features] + [width] * depth
    layers = [part for n in sizes[:-1] for part in (nn.Linear(n, width), make_activation(activation))]
    return nn.Sequential(*layers, nn.Linear(width, n_classes))


def load():
    """Return X and y of MNIST for training, and X and y for testing; the values have mean 0 and variance 1."""
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
    """

    def __init__(self, modules, rates):
        stacked, _ = stack_module_state(modules)
        self.parameters = {name: values.detach().requires_grad_() for name, values in stacked.items()}
        self.rates = torch.tensor(rates)
        self.velocity = [torch.zeros_like(p) for p in self.parameters.values()]
        self.forward = vmap(lambda values, x: functional_call(modules[0], values, (x,)), in_dims=(0, None))

    def step(self, x, y):
        """Take a step of SGD with momentum 0.9 on a batch."""
        logits = self.forward(self.parameters, x)
        losses = nn.functional.cross_entropy(logits.flatten(0, 1), y.repeat(len(logits)), reduction="sum") / len(y)
        gradients = torch.autograd.grad(losses, list(self.parameters.values()))
        with torch.no_grad():
            for p, v, g in zip(self.parameters.values(), self.velocity, gradients, strict=True):
                p.sub_(self.rates.view(-1, *[1] * (p.ndim - 1)) * v.mul_(0.9).add_(g))

    def accuracies(self, X, y):
        """Return the accuracy of each network; a network with scores that are not finite has accuracy 0."""
        right = 0
        with torch.no_grad():
            for rows in torch.arange(len(X)).split(1000):
                logits = self.forward(self.parameters, X[rows])
                logits = torch.where(logits.isfinite().all(-1, keepdim=True), logits, -1.0)
                right = right + ((logits.argmax(-1) == y[rows]) & logits.isfinite().all(-1)).sum(1)
        return (right / len(X)).tolist()


def train(modules, rates, X, y, steps, seed=0):
    """Train a fleet on the same batches, and return it."""
    fleet = Fleet(modules, rates)
    random = np.random.default_rng(seed)
    order = np.concatenate([random.permutation(len(X)) for _ in range(-(-steps * BATCH // len(X)))])
    for rows in torch.tensor(order[: steps * BATCH]).split(BATCH):
        fleet.step(X[rows], y[rows])
    return fleet
