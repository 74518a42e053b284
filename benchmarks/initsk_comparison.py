"""The article's experiment with initsk, without the report: what `plain_skorch.py` does and no more."""

import argparse
from pathlib import Path

import numpy as np

from initsk import MLPClassifier, compare_initializers
from initsk.datasets import load_mnist


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=60000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    X, y = load_mnist(split="train", return_X_y=True)
    X_test, y_test = load_mnist(split="test", return_X_y=True)
    X, X_test = (part.astype(np.float32) / 255 for part in (X[: options.limit], X_test))
    result = compare_initializers(
        MLPClassifier((512, 256, 128, 64), max_epochs=options.epochs), X, y[: options.limit], X_test=X_test,
        y_test=y_test, n_repeats=options.seeds, n_jobs=options.jobs,
    )  # fmt: skip
    result.to_csv(options.out)
    print(result.summary()[["initializer", "mean_score"]].to_string())


if __name__ == "__main__":
    main()
