"""Measure the memory of a fit in addition to the caller's data, in copies of X in float32.

Each line is a fresh process: a small fit that loads all libraries, then the data, then a fit of one epoch in batches
of 1024. The result is the growth of the peak memory of the process (ru_maxrss) during the last fit.
"""

import argparse
import resource
import subprocess
import sys

import numpy as np

CASES = [
    ("initsk", "float32", ""),
    ("initsk", "float32", "early_stopping"),
    ("initsk", "float32", "weights"),
    ("initsk", "float64", ""),
    ("initsk", "uint8", "input_scale"),
    ("plain skorch", "float32", ""),
    ("scikit-learn", "float32", ""),
    ("scikit-learn", "float64", ""),
]


def fit(library, X, y, option):
    """Fit once. The library is loaded here, so each process loads only one."""
    if library == "initsk":
        from initsk import MLPClassifier

        arguments = {"early_stopping": {"early_stopping": True}, "input_scale": {"input_scale": 1 / 255}}.get(
            option, {}
        )
        weight = np.arange(len(y)) % 3 if option == "weights" else None
        clf = MLPClassifier((64,), batch_size=1024, max_epochs=1, random_state=0, **arguments)
        clf.fit(X, y, sample_weight=weight)
    elif library == "plain skorch":
        import skorch
        import torch
        from torch import nn

        skorch.NeuralNetClassifier(
            nn.Sequential(nn.Linear(X.shape[1], 64), nn.ReLU(), nn.Linear(64, 3)), criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam, batch_size=1024, max_epochs=1, train_split=None, verbose=0,
            iterator_train__shuffle=True,
        ).fit(X, y)  # fmt: skip
    else:
        from sklearn.neural_network import MLPClassifier

        clf = MLPClassifier((64,), batch_size=1024, max_iter=2, random_state=0, tol=0)
        clf.partial_fit(X, y, classes=[0, 1, 2])


def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def child(library, dtype, option, n_samples, n_features):
    """Print by how many bytes the fit raised the peak memory of the process."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, size=n_samples)
    fit(library, rng.integers(0, 2, size=(3000, n_features)).astype(dtype), y[:3000], option)
    X = np.empty((n_samples, n_features), dtype)
    for start in range(0, n_samples, 1000):
        X[start : start + 1000] = rng.integers(0, 2, size=(1, n_features))
    before = most()
    fit(library, X, y, option)
    print(most() - before)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=784)
    parser.add_argument("--child", type=int, help="number of the case that this process is for")
    options = parser.parse_args()
    if options.child is not None:
        child(*CASES[options.child], options.samples, options.features)
        return
    for number, (library, dtype, option) in enumerate(CASES):
        sizes = ["--samples", str(options.samples), "--features", str(options.features)]
        command = [sys.executable, __file__, "--child", str(number), *sizes]
        extra = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        copy = 4 * options.samples * options.features
        print(f"{library:13s} {dtype:8s} {option:15s} {extra / copy:.3f} copies of X in float32", flush=True)


if __name__ == "__main__":
    main()
