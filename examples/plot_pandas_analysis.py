"""
The runs in pandas: does the signal at the start predict the score at the end?
==============================================================================

The result of a comparison has tidy frames that can be joined on ``initializer``, ``repeat`` and ``fold``. This program
compares nine scales of the weights, saves the result and loads it again. Then it plots the score after training against
the size of the signal in the last hidden layer before training. Writes ``reports/examples/pandas_analysis.png``.
"""

import tempfile
from pathlib import Path

from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.displays import figure_png
from initsk.initializers import VarianceScaling

SCALES = (0.02, 0.1, 0.3, 0.7, 1.0, 2.0, 4.0, 10.0, 50.0)


def main(scales=SCALES, hidden=(64,) * 6, max_epochs=5, n_repeats=4, n_jobs=None):
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier(hidden, activation="tanh", max_epochs=max_epochs)
    grid = {"initializer__scale": list(scales)}
    result = compare_initializers(
        clf, X / 16, y, initializers=[VarianceScaling()], grid=grid, n_repeats=n_repeats, n_jobs=n_jobs
    )
    with tempfile.TemporaryDirectory() as folder:
        again = ComparisonResult.load(result.save(folder))
    table = join(again)
    shown = table.groupby("initializer__scale")[["rms", "saturated_fraction", "score", "epochs_to_0.8"]]
    print(shown.mean().to_string(float_format="{:.3g}".format))
    draw(table)
    return table


def join(result):
    """Put the last hidden layer at initialization, the score and the speed of every run side by side."""
    keys = ["initializer__scale", "repeat", "fold"]
    layers = result.layers.query("phase == 'initialized' and position == 'activation'")
    last = layers.groupby(keys)[["rms", "saturated_fraction"]].last()
    reached = result.history.query("val_score >= 0.8").groupby(keys)["epoch"].min()
    return result.runs.set_index(keys).join(last).join(reached.rename("epochs_to_0.8")).reset_index()


def draw(table):
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for scale, rows in table.groupby("initializer__scale"):
        axes.scatter(rows["rms"], rows["score"], label=str(scale), s=28)
    axes.set_xscale("log")
    axes.set_xlabel("root mean square of the last hidden layer at initialization")
    axes.set_ylabel("accuracy on held-out digits")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", title="scale", frameon=False)
    path = Path("reports/examples/pandas_analysis.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(figure_png(figure))


if __name__ == "__main__":
    main()
