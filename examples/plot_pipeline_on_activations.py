"""
A pipeline on activations: what a linear model can read from each layer
=======================================================================

``ActivationInspector`` is a transformer. Here it is a step of a pipeline, with a scaler before it and a linear model
after it. A grid search varies the layer and the initializer. The linear model classifies the digits from the
activations of every layer, after one epoch of training and after twenty. Writes
``reports/examples/pipeline_on_activations.png``.
"""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from initsk import ActivationInspector, MLPClassifier
from initsk.displays import figure_png

INITIALIZERS = ("random_normal", "glorot_normal", "he_normal", "orthogonal")


def main(hidden=(64, 32, 16, 8), epochs=(1, 20), n_folds=4, n_jobs=None):
    X, y = load_digits(return_X_y=True)
    tables = {}
    for number in epochs:
        network = MLPClassifier(hidden, max_epochs=number, random_state=0)
        inspector = ActivationInspector(network)
        pipeline = make_pipeline(StandardScaler(), inspector, StandardScaler(), RidgeClassifier())
        grid = {
            "activationinspector__layers": [f"hidden_{i + 1}" for i in range(len(hidden))],
            "activationinspector__estimator__initializer": INITIALIZERS,
        }
        found = GridSearchCV(pipeline, grid, cv=n_folds, n_jobs=n_jobs).fit(X, y)
        frame = pd.DataFrame(found.cv_results_)
        names = {f"param_{name}": name.rpartition("__")[2] for name in grid}
        tables[number] = frame.rename(columns=names).pivot(
            index="layers", columns="initializer", values="mean_test_score"
        )
        print(f"Accuracy of a linear model on the activations after {number} epoch{'s' if number > 1 else ''}:\n")
        print(tables[number].to_string(float_format="{:.3f}".format), "\n")
    draw(tables)
    return tables


def draw(tables):
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    for axes, (number, table) in zip(figure.subplots(1, len(tables), sharey=True), tables.items(), strict=True):
        for name in table:
            axes.plot(range(1, len(table) + 1), table[name], marker="o", label=name)
        axes.set_title(f"after {number} epoch{'s' if number > 1 else ''}", fontsize=11)
        axes.set_xticks(range(1, len(table) + 1))
        axes.set_xlabel("hidden layer")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("accuracy of a linear model")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    path = Path("reports/examples/pipeline_on_activations.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(figure_png(figure))


if __name__ == "__main__":
    main()
