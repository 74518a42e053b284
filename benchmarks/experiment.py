"""Options and data of the scripts that `main_job.py` times."""

import argparse
from pathlib import Path

import numpy as np

from initsk.datasets import load_mnist


def read_options():
    """Return epochs, repeats, limit (training images), jobs (runs at a time) and out (a folder)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=int, default=60000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def load(limit):
    """Return training and test images of MNIST, scaled to 0..1, with their labels."""
    X, y = load_mnist(split="train", return_X_y=True)
    X_test, y_test = load_mnist(split="test", return_X_y=True)
    X, X_test = (part.astype(np.float32) / 255 for part in (X[:limit], X_test))
    return X, y[:limit], X_test, y_test
