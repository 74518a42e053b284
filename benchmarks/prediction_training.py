"""Train the networks of `prediction.py`: six initializations of each shape, each with four optimizers.

This takes about an hour and a half on one core; after an interruption, the script continues from there.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fleet import load, network, train

from initsk import get_initializer, initialize
from initsk.comparison import ARTICLE_INITIALIZERS
from initsk.initializers import Scaled

ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "selu", "sin")
DEPTHS = (2, 4, 8, 16, 32, 60)
WIDTHS = (32, 64, 128, 256, 512)
FACTORS = (0.1, 0.3, 0.5, 2.0, 3.0, 10.0)
OPTIMIZERS = {"adam_0.001": ("adam", 0.001)} | {f"sgd_{rate}": ("sgd", rate) for rate in (0.1, 0.01, 0.001)}
STEPS = 500
LARGEST = 32 * 256
TABLE = Path(__file__).parent / "results" / "prediction_training.csv"


def shapes():
    """Yield two shapes of each depth and width; everything else is drawn at random."""
    random = np.random.default_rng(0)
    for number, (depth, width, _) in enumerate(itertools.product(DEPTHS, WIDTHS, range(2))):
        activation, data = random.choice(ACTIVATIONS), random.choice(["digits", "mnist"])
        residual = bool(depth > 2 and random.random() < 0.3)
        names = random.choice(ARTICLE_INITIALIZERS, 3, replace=False)
        factors = random.choice(FACTORS, 3, replace=False)
        bases = random.choice([name for name in ARTICLE_INITIALIZERS if name not in ("zeros", "random_normal")], 3)
        kinds = [(str(name), 1.0) for name in names]
        kinds += [(str(name), float(factor)) for name, factor in zip(bases, factors, strict=True)]
        if depth * width > LARGEST:
            # The six largest would take twice as long as all the others.
            continue
        yield number, str(activation), depth, width, residual, str(data), kinds


def built(shape, kinds, n_features):
    """Return a network of a shape for each kind of initialization."""
    number, activation, depth, width, residual = shape
    modules = []
    for name, factor in kinds:
        module = network(n_features, 10, activation, depth, width, residual)
        base = get_initializer(name)
        initialize(module, base if factor == 1 else Scaled(base, factor), random_state=number)
        modules.append(module)
    return modules


def load_all():
    """Return both data sets, of MNIST 2,000 test images."""
    X, y, X_test, y_test = load("mnist")
    return {"digits": load("digits"), "mnist": (X, y, X_test[:2000], y_test[:2000])}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    data = load_all()
    # Networks in the table are not trained again.
    rows = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    trained = {row["shape"] for row in rows}
    for *shape, name, kinds in shapes():
        if shape[0] in trained:
            continue
        modules = built(shape, kinds, data[name][0].shape[1])
        found = {}
        for label, (optimizer, rate) in OPTIMIZERS.items():
            X, y, X_test, y_test = data[name]
            fleet = train(modules, [rate] * len(modules), X, y, STEPS, optimizer)
            found[label] = fleet.accuracies(X_test, y_test)
        for position, (initializer, factor) in enumerate(kinds):
            row = dict(zip(("shape", "activation", "depth", "width", "residual"), shape, strict=True))
            row |= {"data": name, "initializer": initializer, "factor": factor}
            rows.append(row | {label: accuracies[position] for label, accuracies in found.items()})
        options.out.parent.mkdir(exist_ok=True)
        pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.4f")
        print(*shape, flush=True)


if __name__ == "__main__":
    main()
