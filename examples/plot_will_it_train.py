"""
Will this network train?
========================

Sigmoid networks of increasing depth get torch's default weights, Xavier's, and the recommended ones. ``diagnose`` gives
each network a score before the first step. Then the networks are trained. With Xavier's weights, which textbooks
recommend for sigmoids, all samples become alike after a few layers. The recommended weights are orthogonal, four times
as large, and those of each unit add up to zero. With them, the network behaves like a tanh network, and trains at each
of these depths. Writes ``reports/examples/will_it_train.png``.
"""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from initsk import MLPClassifier, diagnose
from initsk.displays import color_of

INITIALIZERS = ("torch_default", "glorot_uniform", "auto")
DEPTHS = (2, 4, 8, 12, 16)


def main(depths=DEPTHS, width=64, max_epochs=15, initializers=INITIALIZERS):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)
    rows = []
    for depth in depths:
        for initializer in initializers:
            clf = MLPClassifier(
                (width,) * depth, activation="sigmoid", initializer=initializer, max_epochs=max_epochs, random_state=0
            )
            before = diagnose(clf, X_train, y_train)
            rows.append((initializer, depth, before.score, clf.fit(X_train, y_train).score(X_test, y_test)))
    table = pd.DataFrame(rows, columns=["initializer", "depth", "score before", "accuracy after"])
    print(table.to_string(index=False, float_format="{:.2f}".format))
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, column in zip(panels, ("score before", "accuracy after"), strict=True):
        for index, initializer in enumerate(initializers):
            line = table[table["initializer"] == initializer]
            axes.plot(
                line["depth"],
                line[column],
                "os^"[index],
                ls="-",
                color=color_of(initializer, initializers),
                label=initializer,
            )
        axes.set(xlabel="layers of sigmoids", title=column, ylim=(-0.03, 1.03))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].axhline(0.5, color="#808080", lw=0.8, ls=":")
    panels[1].legend(frameon=False, fontsize=9)
    target = Path("reports/examples/will_it_train.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    print(target)
    return table


if __name__ == "__main__":
    main()
