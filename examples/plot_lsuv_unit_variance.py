"""
One batch sets every layer to unit variance
===========================================

Layer-sequential unit variance (Mishkin and Matas 2016) draws orthogonal weights. It then divides the weights of one
layer after the other by the standard deviation of the layer's output on a batch. Every pre-activation then has standard
deviation 1, for any activation function and any scale of the data. Initializers that do not use data, such as He's,
give smaller values here, because the mean square of the pixels is about 0.1. The network is a ReLU network
784-512-256-128-64-10, with 512 images of MNIST. Writes ``reports/examples/lsuv_unit_variance.png``.
"""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from initsk import initialize, inspect_activations
from initsk.datasets import load_mnist
from initsk.displays import palette_color
from initsk.network import MLP

SHOWN = {"lsuv": "LSUV", "he_normal": "He", "xavier": "Xavier", "orthogonal": "orthogonal"}


def main(hidden_layer_sizes=(512, 256, 128, 64), batch_size=512, random_state=0):
    images, _ = load_mnist(return_X_y=True)
    batch, others = images[:batch_size] / 255.0, images[-5000:] / 255.0
    seen, unseen = {}, {}
    for name, label in SHOWN.items():
        module = MLP(784, 10, hidden_layer_sizes)
        initialize(module, name, X=batch, random_state=random_state)
        seen[label] = standard_deviations(module, batch)
        unseen[label] = standard_deviations(module, others)
        if name == "lsuv":
            histograms = inspect_activations(module, batch).histograms()
    table = pd.DataFrame(seen)
    print(f"Standard deviation of each layer's output before the activation function, {batch_size} images")
    print(table.to_string(float_format="{:.4f}".format))
    print(f"LSUV on {len(others)} other images:", unseen["LSUV"].round(3).to_list())
    draw(table, unseen["LSUV"], histograms[histograms["position"] != "activation"])
    return table


def standard_deviations(module, X):
    frame = inspect_activations(module, X).to_frame()
    return frame[frame["position"] != "activation"].set_index("layer")["std"]


def draw(table, elsewhere, histograms):
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for index, label in enumerate(table):
        left.plot(table.index, table[label], "o-", color=palette_color(index), label=label)
    left.plot(elsewhere.index, elsewhere, "x:", color=palette_color(0), label="LSUV, images not in the batch")
    left.set(ylim=(0, 1.7), xlabel="layer", ylabel="standard deviation of the pre-activations")
    left.set_title("Each layer's output at the start")
    left.legend(fontsize=9, ncols=2, loc="upper center")
    for index, (layer, part) in enumerate(histograms.groupby("layer", sort=False)):
        edges = [*part["left"], part["right"].iloc[-1]]
        right.stairs(part["density"], edges, color=palette_color(index), label=layer)
    right.set(xlim=(-4, 4), xlabel="pre-activation", ylabel="density", title="The same under LSUV, layer by layer")
    right.legend(fontsize=9)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    target = Path("reports/examples/lsuv_unit_variance.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    print(target)


if __name__ == "__main__":
    main()
