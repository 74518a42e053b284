"""Data sets for the zoo of trainings; all of them come with the packages that are installed."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from torch.nn import functional

from initsk.datasets import load_mnist

#: Samples that measure the loss in training, and samples that were held out.
N_MEASURED = 512
_ALPHABET = "abcdefghijklmnopqrstuvwxyz .,\n"
LENGTH = 32
N_CHARACTERS = len(_ALPHABET) + 1


def split(X, y, n_held_out, seed=0):
    """Return X and y for training, and X and y that are held out, in random order."""
    order = np.random.default_rng(seed).permutation(len(X))
    held, rest = torch.tensor(order[:n_held_out]), torch.tensor(order[n_held_out:])
    return X[rest], y[rest], X[held], y[held]


def standardized(X):
    """Return X with mean 0 and variance 1 over all its values."""
    X = torch.as_tensor(X, dtype=torch.float32)
    return (X - X.mean()) / X.std()


@cache
def load(name, n_held_out=None):
    """Return X and y for training, and X and y that are held out, by the name of the data.

    Images have the shape (n, channels, height, width), texts are sequences of characters with the next character as
    target, and tables have standardized columns. Without a number of samples that are held out, it is that of the zoo.
    """
    make, usual = {"digits": (_digits, N_MEASURED), "mnist": (_mnist, 2000), "photos": (_photos, 1000),
                   "text": (_text, 1075), "cancer": (_cancer, 120), "diabetes": (_diabetes, 90),
                   "friedman": (_friedman, 2000)}[name]  # fmt: skip
    return make(n_held_out or usual)


def _digits(n_held_out):
    X, y = datasets.load_digits(return_X_y=True)
    return split(standardized(X).view(-1, 1, 8, 8), torch.tensor(y), n_held_out)


def _mnist(n_held_out):
    """8,000 images for training; MNIST's own images for training follow where its test images are too few."""
    (X, y), (more_X, more_y) = (load_mnist(split=name, return_X_y=True) for name in ("test", "train"))
    n_more = max(8000 + n_held_out - len(X), 0)
    X, y = np.concatenate([X, more_X[:n_more]]), np.concatenate([y, more_y[:n_more]])
    return split(standardized(X / 255).view(-1, 1, 28, 28), torch.tensor(y), n_held_out)


def _photos(n_held_out):
    """Patches of scikit-learn's two photos, at half the resolution; the class is the fifth of a photo they come from.

    Held-out patches come from other rows of the photos.
    """
    random, parts = np.random.default_rng(0), []
    images = [torch.tensor(image / 255, dtype=torch.float32).movedim(-1, 0) for image in
              datasets.load_sample_images().images]  # fmt: skip
    images = [functional.avg_pool2d(image, 2) for image in images]
    for top, bottom, n in ((0, 150, 4000), (150, 213 - 16, n_held_out)):
        labels = random.integers(10, size=n)
        patches = []
        for label in labels:
            row, column = random.integers(top, bottom), random.integers(64 * (label % 5), 64 * (label % 5) + 48)
            patch = images[label // 5][:, row : row + 16, column : column + 16]
            patches.append(patch.flip(-1) if random.random() < 0.5 else patch)
        parts += [torch.stack(patches), torch.tensor(labels)]
    X, y, X_held, y_held = parts
    mean, std = X.mean(), X.std()
    return (X - mean) / std, y, (X_held - mean) / std, y_held


def _text(n_held_out):
    """Characters of scikit-learn's descriptions of its data sets; other characters than letters are one of five."""
    folder = Path(datasets.__file__).parent / "descr"
    text = "".join(path.read_text("utf-8").lower() for path in sorted(folder.glob("*.rst")))
    codes = torch.tensor([_ALPHABET.find(character) for character in " ".join(text.split(" "))]) % N_CHARACTERS
    windows = codes[: (len(codes) - 1) // LENGTH * LENGTH + 1].unfold(0, LENGTH + 1, 8)
    train, held = windows[:-n_held_out], windows[-n_held_out + LENGTH :]
    return train[:, :-1], train[:, 1:], held[:, :-1], held[:, 1:]


def _cancer(n_held_out):
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return split(torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32), torch.tensor(y), n_held_out)


def _diabetes(n_held_out):
    X, y = datasets.load_diabetes(return_X_y=True)
    y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None]
    return split(torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32), y, n_held_out)


def _friedman(n_held_out):
    """Friedman's first function of 10 features (1991) with noise; the best possible R2 is 0.96."""
    X, y = datasets.make_friedman1(4000 + n_held_out, noise=1.0, random_state=0)
    y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None]
    return split(standardized(X), y, n_held_out)
