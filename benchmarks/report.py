"""Measure the seconds and bytes of the article's report, and of the article's own picture in plain matplotlib.

A short comparison of the article's six initializers and network on MNIST (two seeds, few images) gives a report of the
size of the real one, with as many pictures and bins. The other side is the only picture of the article: 24 histograms.
"""

import argparse
import statistics
import time

import torch
from matplotlib.figure import Figure
from sklearn.base import clone

from initsk import MLPClassifier, compare_initializers
from initsk.comparison import ARTICLE_INITIALIZERS
from initsk.datasets import load_mnist
from initsk.displays import figure_png


def plain_matplotlib(activations):
    """Draw and save the article's grid from given activations."""
    figure = Figure(figsize=(16, 18))
    for axes, values in zip(figure.subplots(6, 4).flat, activations, strict=True):
        axes.hist(values, bins=50, density=True)
        axes.set(xlim=(-1, 1), ylim=(0, 4))
    return figure_png(figure)


def activations_of(model, X):
    """Return the activations of the four hidden layers."""
    found, values = [], torch.from_numpy(X)
    with torch.no_grad():
        for layer in list(model.net_.module_.children())[:-1]:
            values = layer(values)
            if not isinstance(layer, torch.nn.Linear):
                found.append(values.numpy().ravel())
    return found


def seconds(function, *arguments, **options):
    started = time.perf_counter()
    found = function(*arguments, **options)
    return time.perf_counter() - started, found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    X, y = (part[:4000] for part in load_mnist(return_X_y=True))
    X = (X / 255).astype("float32")
    clf = MLPClassifier((512, 256, 128, 64), max_epochs=5)
    result = compare_initializers(clf, X, y, n_repeats=2)
    activations = [
        values
        for name in ARTICLE_INITIALIZERS
        for values in activations_of(clone(clf).set_params(initializer=name, random_state=0).initialize(X, y), X)
    ]
    ways = {
        "the article's picture, plain matplotlib": lambda: plain_matplotlib(activations),
        "what a notebook shows": result._repr_html_,
        "the page": result.to_html,
        "Markdown": result.to_markdown,
        "JSON": result.to_json,
    }
    times = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            taken, found = seconds(way)
            times[name].append((taken, len(found)))
    peer = statistics.median(taken for taken, _ in times["the article's picture, plain matplotlib"])
    print("| what | seconds (median) | from, to | times the article's picture | kB |\n| --- | --- | --- | --- | --- |")
    for name, rows in times.items():
        taken = sorted(taken for taken, _ in rows)
        middle = statistics.median(taken)
        spread = f"{taken[0]:.2f}, {taken[-1]:.2f}"
        print(f"| {name} | {middle:.2f} | {spread} | {middle / peer:.2f} | {rows[0][1] / 1000:.0f} |")


if __name__ == "__main__":
    main()
