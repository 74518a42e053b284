"""Run the article's experiment with plain skorch; `main_job.py` times it.

This is what a careful user writes without initsk: skorch's NeuralNetClassifier with its default
data loader, torch's default Adam, ``torch.nn.init``, forward hooks and numpy for the
histograms, and joblib for two processes. It has the same network, data, epochs and seeds as ``initsk compare``.
"""

from itertools import pairwise

import joblib
import numpy as np
import pandas as pd
import torch
from experiment import load, read_options
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import nn

INITIALIZERS = {
    "zeros": nn.init.zeros_,
    "random_normal": lambda w: nn.init.normal_(w, std=0.01),
    "glorot_normal": nn.init.xavier_normal_,
    "he_normal": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "lecun_normal": lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear"),
    "orthogonal": nn.init.orthogonal_,
}
WIDTHS = (784, 512, 256, 128, 64)


class Network(nn.Sequential):
    """784-512-256-128-64-10 with ReLU."""

    def __init__(self, initializer):
        layers = []
        for width, size in pairwise(WIDTHS):
            layers += [nn.Linear(width, size), nn.ReLU()]
        super().__init__(*layers, nn.Linear(WIDTHS[-1], 10))
        for layer in self:
            if isinstance(layer, nn.Linear):
                INITIALIZERS[initializer](layer.weight)
                nn.init.zeros_(layer.bias)


def activation_rows(module, images):
    """Compute moments and a histogram of every layer from forward hooks that keep all values."""
    kept = {}
    handles = []
    for name, layer in module.named_children():

        def keep(_, __, output, name=name):
            kept[name] = output.numpy().copy()

        handles.append(layer.register_forward_hook(keep))
    with torch.no_grad():
        module.eval()(torch.tensor(images))
    for handle in handles:
        handle.remove()
    rows = []
    for name, values in kept.items():
        counts, edges = np.histogram(values, bins=100)
        dead = (values == 0).all(axis=0).mean()
        rows.append((name, values.mean(), values.std(), (values == 0).mean(), dead, counts.tolist(), edges.tolist()))
    return rows


def run_one(initializer, seed, epochs, X, y, X_test, y_test):
    """Train once; return the test accuracy, the history and the activations before and after."""
    torch.manual_seed(seed)
    net = NeuralNetClassifier(
        Network,
        module__initializer=initializer,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=32,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=predefined_split(Dataset(X_test, y_test)),
        verbose=0,
    )
    net.initialize()
    before = activation_rows(net.module_, X_test)
    net.partial_fit(X, y)
    after = activation_rows(net.module_, X_test)
    return initializer, seed, float(net.score(X_test, y_test)), net.history, before, after


def main():
    options = read_options()
    X, y, X_test, y_test = load(options.limit)
    runs = joblib.Parallel(n_jobs=options.jobs)(
        joblib.delayed(run_one)(name, seed, options.epochs, X, y, X_test, y_test)
        for seed in range(options.repeats)
        for name in INITIALIZERS
    )
    frame = pd.DataFrame([run[:3] for run in runs], columns=["initializer", "seed", "score"])
    options.out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(options.out / "runs.csv", index=False)
    print(frame.groupby("initializer", sort=False)["score"].mean().to_string())


if __name__ == "__main__":
    main()
