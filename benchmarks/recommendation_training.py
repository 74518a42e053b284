"""Train the networks of `recommendation.py`: every initializer on every task, three learning rates, several seeds.

This takes about an hour on one core; after an interruption, the script continues from there.
"""

import argparse
import itertools
from pathlib import Path

import pandas as pd
import torch
from fleet import load, network, train

from initsk import initialize

ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "selu", "sin")
DEPTHS = {"digits": (2, 5, 10, 20), "mnist_14": (2, 5, 10)}
SEEDS = {"digits": 6, "mnist_14": 3}
RATES = (0.0003, 0.001, 0.003)
STEPS = 600
# Without zeros, which train nothing.
INITIALIZERS = (
    "random_normal", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "orthogonal",
    "torch_default", "edge_of_chaos", "lsuv", "auto",
)  # fmt: skip
TABLE = Path(__file__).parent / "results" / "recommendation_training.csv"


def tasks(names):
    """Yield activation, depth, width and data of each task on these data; narrow and wide networks alternate."""
    every = [(data, *rest) for data, depths in DEPTHS.items() for rest in itertools.product(depths, ACTIVATIONS)]
    for number, (data, depth, activation) in enumerate(every):
        if data in names:
            yield activation, depth, (64, 128)[(number + number // len(ACTIVATIONS)) % 2], data


def split(name):
    """Return X and y for training, for choosing the learning rate, and for scoring; MNIST at half its resolution."""
    X, y, X_test, y_test = load(name.removesuffix("_14"))
    n_valid = len(X) // 5 if name == "digits" else 5000
    if name == "mnist_14":
        X, X_test = (torch.nn.functional.avg_pool2d(part.view(-1, 1, 28, 28), 2).flatten(1) for part in (X, X_test))
    return X[n_valid:], y[n_valid:], X[:n_valid], y[:n_valid], X_test, y_test


def trained(task, initializers, data):
    """Yield a row for each initializer, seed and learning rate; all networks are trained as one fleet."""
    activation, depth, width, name = task
    X, y, X_valid, y_valid, X_test, y_test = data
    grid = list(itertools.product(initializers, range(SEEDS[name]), RATES))
    modules = []
    for initializer, seed, _ in grid:
        module = network(X.shape[1], 10, activation, depth, width)
        initialize(module, initializer, X=X[:256], y=y[:256], random_state=seed)
        modules.append(module)
    fleet = train(modules, [rate for *_, rate in grid], X, y, STEPS)
    scores = zip(grid, fleet.accuracies(X_valid, y_valid), fleet.accuracies(X_test, y_test), strict=True)
    for (initializer, seed, rate), valid, test in scores:
        yield {
            "activation": activation, "depth": depth, "width": width, "data": name, "initializer": initializer,
            "seed": seed, "rate": rate, "valid": valid, "test": test,
        }  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--initializers", nargs="+", default=INITIALIZERS)
    parser.add_argument("--data", nargs="+", default=list(SEEDS))
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    data = {name: split(name) for name in options.data}
    # Tasks in the table are not trained again.
    rows = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    known = {(row["activation"], row["depth"], row["width"], row["data"], row["initializer"]) for row in rows}
    for task in tasks(options.data):
        missing = [initializer for initializer in options.initializers if (*task, initializer) not in known]
        if missing:
            rows += trained(task, missing, data[task[-1]])
            options.out.parent.mkdir(exist_ok=True)
            pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.5f")
            print(*task, *missing, flush=True)


if __name__ == "__main__":
    main()
