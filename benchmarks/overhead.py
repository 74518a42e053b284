"""Measure the cost of a comparison in addition to its fits, in milliseconds per run, for 1,000 and 10,000 tiny runs.

Fits and scores by hand are timed in turn with comparisons that measure nothing more, that inspect the layers before and
after training, and that also commit every run to a store.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from sklearn.base import clone
from sklearn.datasets import load_iris

from initsk import MLPClassifier, compare_initializers
from initsk.comparison import ARTICLE_INITIALIZERS
from initsk.comparison.design import hold_out

ESTIMATOR = MLPClassifier((8,), max_epochs=1)


def by_hand(n_repeats):
    X, y, X_test, y_test = hold_out(*load_iris(return_X_y=True), 0)
    for seed in range(n_repeats):
        for name in ARTICLE_INITIALIZERS:
            model = clone(ESTIMATOR).set_params(initializer=name, random_state=seed, n_threads=1)
            model.fit(X, y).score(X_test, y_test)


def compared(n_repeats, activations, store):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.sqlite" if store else None
        data = load_iris(return_X_y=True)
        compare_initializers(ESTIMATOR, *data, n_repeats=n_repeats, activations=activations, store=path)


WAYS = {
    "comparison": (False, False),
    "comparison, with layers": (True, False),
    "comparison, with layers and store": (True, True),
}


def milliseconds(function, n_repeats, *arguments):
    started = time.perf_counter()
    function(n_repeats, *arguments)
    return (time.perf_counter() - started) * 1000 / (n_repeats * len(ARTICLE_INITIALIZERS))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, 10_000])
    options = parser.parse_args()
    by_hand(2)
    compared(2, True, True)
    for n_runs in options.runs:
        n_repeats = -(-n_runs // len(ARTICLE_INITIALIZERS))
        extra = {name: [] for name in WAYS}
        for _ in range(options.rounds):
            plain = milliseconds(by_hand, n_repeats)
            for name, (activations, store) in WAYS.items():
                extra[name].append(milliseconds(compared, n_repeats, activations, store) - plain)
        for name, values in extra.items():
            spread = f"from {min(values):.2f} to {max(values):.2f}"
            middle = statistics.median(values)
            print(f"{n_runs} runs, {name}: {middle:.2f} ms a run beside the fits ({plain:.1f}), {spread}", flush=True)


if __name__ == "__main__":
    main()
