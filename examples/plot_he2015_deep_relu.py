"""
Thirty ReLU layers: He's initializer learns, Xavier's does not
==============================================================

He et al. (2015, section 2.2) found that a ReLU network of thirty layers learns with weights of variance 2 / fan_in.
With Xavier's weights, every layer halves the mean square of the signal, and the network does not learn. This program
repeats the experiment on scikit-learn's digits, standardized: thirty hidden layers of 100 units, SGD with learning rate
0.002 and momentum 0.9 in batches of 32, fifteen epochs, three seeds. The accuracy of such a deep network jumps between
epochs, so the table shows the best epoch next to the last one. At a learning rate of 0.01, some networks with He's
initializer diverge. Networks with Xavier's predict the same class for every image. Writes
``reports/examples/he2015_deep_relu.png``.
"""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from initsk import MLPClassifier, inspect_activations
from initsk.displays import color_of

LABELS = {"he_normal": "He", "xavier": "Xavier"}


def main(depth=30, width=100, max_epochs=15, seeds=(0, 1, 2), batch_size=32):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

    signals, curves = {}, {}
    for initializer in LABELS:
        for seed in seeds:
            clf = MLPClassifier(
                (width,) * depth,
                initializer=initializer,
                optimizer="sgd",
                optimizer_params={"momentum": 0.9},
                lr=0.002,
                batch_size=batch_size,
                max_epochs=max_epochs,
                random_state=seed,
                n_threads=1,
            )
            # An unfitted estimator shows its initial weights.
            frame = inspect_activations(clf, X_train, y_train).to_frame()
            signals[initializer, seed] = frame.loc[frame["position"] == "activation", "rms"].to_numpy()
            clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)
            curves[initializer, seed] = clf.net_.history[:, "valid_acc"]

    signal = pd.DataFrame(signals, index=pd.RangeIndex(1, depth + 1, name="hidden layer"))
    accuracy = pd.DataFrame(curves, index=pd.RangeIndex(1, max_epochs + 1, name="epoch"))
    table = pd.DataFrame({"signal": signal.iloc[-1], "last epoch": accuracy.iloc[-1], "best epoch": accuracy.max()})
    print(f"RMS of the last hidden layer before training, and accuracy on {len(y_test)} test images (chance: 0.1)")
    print(table.rename_axis(["initializer", "seed"]).to_string(float_format="{:.2g}".format))
    draw(signal, accuracy)
    return table


def draw(signal, accuracy):
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, frame in [(left, signal), (right, accuracy)]:
        for initializer, label in LABELS.items():
            lines = axes.plot(frame.index, frame[initializer], color=color_of(initializer, list(LABELS)), alpha=0.8)
            lines[0].set_label(label)
        axes.set_xlabel(frame.index.name)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_yscale("log")
    left.set_ylabel("RMS of the activations")
    left.set_title("Before training: signal along depth")
    left.legend(title=f"{len(signal.columns) // 2} seeds each")
    right.axhline(0.1, color="#7f7f7f", linestyle=":", label="chance")
    right.set_ylim(0, 1)
    right.set_ylabel("accuracy on the test images")
    right.set_title(f"Training: SGD on digits, {len(signal)} ReLU layers")
    right.legend(loc="upper left")
    target = Path("reports/examples/he2015_deep_relu.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    print(target)


if __name__ == "__main__":
    main()
