"""Time one fit on one core with initsk, plain skorch, a hand-written torch loop and scikit-learn.

The article's network (784-512-256-128-64-10, ReLU, Adam) on MNIST. Every round runs all of them in
turn and begins with another one; ratios are taken within a round.
"""

import argparse
import os
import statistics
import time
import warnings

# The variables must be set before the libraries start their threads.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import sklearn.neural_network
import skorch
import torch
from torch import nn

from initsk import MLPClassifier
from initsk.datasets import load_mnist

WIDTHS = (512, 256, 128, 64)


class Network(nn.Sequential):
    """The article's network as a user of torch writes it."""

    def __init__(self):
        layers, width = [], 784
        for size in WIDTHS:
            layers += [nn.Linear(width, size), nn.ReLU()]
            width = size
        super().__init__(*layers, nn.Linear(width, 10))


def initsk_fit(X, y, batch_size, epochs):
    MLPClassifier(WIDTHS, batch_size=batch_size, max_epochs=epochs, random_state=0, n_threads=1).fit(X, y)


def hand_written_fit(X, y, batch_size, epochs):
    """Index tensors for the batches, use fused Adam, and record the loss of every step."""
    torch.manual_seed(0)
    module, criterion, losses = Network(), nn.CrossEntropyLoss(), []
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(batch_size):
            optimizer.zero_grad()
            loss = criterion(module(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())


def flushing_fit(X, y, batch_size, epochs):
    """Run the hand-written loop with subnormal numbers treated as zero, as in initsk."""
    torch.set_flush_denormal(True)
    hand_written_fit(X, y, batch_size, epochs)
    torch.set_flush_denormal(False)


def skorch_fit(X, y, batch_size, epochs):
    """Fit skorch with its default data loader and torch's default Adam."""
    torch.manual_seed(0)
    skorch.NeuralNetClassifier(
        Network, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3, batch_size=batch_size,
        max_epochs=epochs, iterator_train__shuffle=True, train_split=None, verbose=0,
    ).fit(X, y)  # fmt: skip


def scikit_learn_fit(X, y, batch_size, epochs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sklearn.neural_network.MLPClassifier(
            WIDTHS, batch_size=batch_size, max_iter=epochs, alpha=0, tol=0, n_iter_no_change=epochs + 1, random_state=0
        ).fit(X, y)


FITS = {
    "initsk": initsk_fit,
    "hand-written loop": hand_written_fit,
    "hand-written, flushing": flushing_fit,
    "plain skorch": skorch_fit,
    "scikit-learn": scikit_learn_fit,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=60000)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--only", nargs="+", default=list(FITS), choices=FITS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    X, y = load_mnist(split="train", return_X_y=True)
    X, y = X[: options.limit].astype(np.float32) / 255, y[: options.limit].astype(np.int64)
    for batch_size in options.batch_sizes:
        seconds = {name: [] for name in options.only}
        for name in options.only:
            FITS[name](X[:2000], y[:2000], batch_size, 1)
        for number in range(options.rounds):
            for shift in range(len(options.only)):
                name = options.only[(number + shift) % len(options.only)]
                started = time.perf_counter()
                FITS[name](X, y, batch_size, options.epochs)
                seconds[name].append(time.perf_counter() - started)
        print(f"batches of {batch_size}, {options.epochs} epochs, {options.rounds} rounds")
        for name, values in seconds.items():
            ratios = [value / ours for value, ours in zip(values, seconds["initsk"], strict=True)]
            print(
                f"  {name:24s} {statistics.median(values):6.2f} s   as long as initsk times"
                f" {statistics.median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
