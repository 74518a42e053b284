"""
Every initializer has its own best learning rate
================================================

An initializer is a hyperparameter like any other: ``GridSearchCV`` combines it with the learning rate, and pandas shows
the scores as a table. Small random weights need a large learning rate, weights of the right size learn at many rates,
and zeros learn at none. A comparison at a single learning rate would favour the initializers that it suits. Writes
``reports/examples/grid_search.png``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from initsk import MLPClassifier
from initsk.initializers import Orthogonal

INITIALIZERS = ("zeros", "random_normal", "glorot_normal", "he_normal", Orthogonal(gain=1.4))
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


def main(rates=RATES, hidden=(64, 64, 64, 64), max_epochs=10, n_folds=3, n_jobs=None):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    clf = MLPClassifier(hidden, max_epochs=max_epochs, random_state=0, n_threads=1)
    grid = {"initializer": list(INITIALIZERS), "lr": list(rates)}
    search = GridSearchCV(clf, grid, cv=n_folds, n_jobs=n_jobs).fit(X, y)
    results = pd.DataFrame(search.cv_results_).astype({"param_initializer": str})
    table = results.pivot(index="param_initializer", columns="param_lr", values="mean_test_score")
    table = table.loc[[str(initializer) for initializer in INITIALIZERS]]
    print(f"Accuracy on held-out folds of the digits, {max_epochs} epochs, by initializer and learning rate\n")
    print(table.to_string(float_format="{:.3f}".format))
    draw(table)
    return table


def draw(table):
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(table, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(table.shape[1]), [f"{rate:g}" for rate in table.columns])
    axes.set_yticks(range(table.shape[0]), table.index)
    axes.set_xlabel("learning rate")
    best = table.idxmax(axis=1)
    for row, name in enumerate(table.index):
        for column, rate in enumerate(table.columns):
            score = table.loc[name, rate]
            learned = table.loc[name].max() > 0.2
            weight = "bold" if learned and rate == best[name] else "normal"
            color = "black" if score > 0.6 else "white"
            axes.text(column, row, f"{score:.2f}", ha="center", va="center", color=color, fontweight=weight)
    axes.set_title("Accuracy after training on the digits; bold: the best of each row", fontsize=11)
    figure.colorbar(image, ax=axes, label="accuracy")
    path = Path("reports/examples/grid_search.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
