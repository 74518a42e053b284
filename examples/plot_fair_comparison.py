"""
A fair comparison: every initializer at its own best learning rate
==================================================================

A single learning rate favours the initializers that it suits. Here every initializer is trained at every learning rate,
under the same seeds. The summary shows each one at its own best rate, which is selected in the other repeats, and tests
which differences are significant. Racing stops initializers that are significantly worse. Writes
``reports/examples/fair_comparison.png``.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from initsk import MLPClassifier, compare_initializers

INITIALIZERS = ("random_normal", "glorot_normal", "he_normal", "orthogonal")
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
COLUMNS = ["initializer", "lr", "mean_score", "difference_to_best", "p_value", "conclusion", "n_needed"]


def main(rates=RATES, hidden=(64, 64, 64, 64), max_epochs=10, n_repeats=8, n_jobs=None):
    X, y = load_digits(return_X_y=True)
    result = compare_initializers(
        MLPClassifier(hidden, max_epochs=max_epochs), X / 16, y, initializers=INITIALIZERS, grid={"lr": rates},
        n_repeats=n_repeats, racing=True, n_jobs=n_jobs,
    )  # fmt: skip
    print("Each initializer at its own best learning rate:\n")
    print(result.summary()[COLUMNS].to_string(index=False, float_format="{:.4f}".format))
    saved = result.settings["racing"]["runs_saved"]
    print(f"\nRacing saved {saved} of {result.settings['n_planned']} runs")
    draw(result.summary(by="setting"))
    return result


def draw(settings):
    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, rows in settings.groupby("initializer", sort=False):
        rows = rows.sort_values("lr")
        spread = np.abs(rows[["low", "high"]].to_numpy().T - rows["mean_score"].to_numpy())
        axes.errorbar(rows["lr"], rows["mean_score"], spread, marker="o", capsize=3, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("accuracy on held-out digits")
    axes.set_title("Mean scores and 95 % intervals over paired repeats", fontsize=11)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path = Path("reports/examples/fair_comparison.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
