"""
How deep does a signal reach?
=============================

The program measures the root mean square of the activations in each layer of a ReLU network of twenty layers, before
training, for six initializers. Writes ``reports/examples/signal_along_depth.png``.
"""

from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure

from initsk import initialize, inspect_activations
from initsk.displays import palette_color
from initsk.initializers import Orthogonal
from initsk.network import MLP

INITIALIZERS = {
    "random normal, std 0.01": "random_normal",
    "torch's default": "torch_default",
    "LeCun": "lecun_normal",
    "Xavier": "xavier",
    "He": "he_normal",
    "orthogonal, gain sqrt(2)": Orthogonal(gain=2**0.5),
}


def main(depth=20, width=100, n_samples=1000, random_state=0):
    x = torch.randn(n_samples, width, generator=torch.Generator().manual_seed(random_state))
    curves = {}
    for label, initializer in INITIALIZERS.items():
        module = MLP(width, 10, (width,) * depth)
        initialize(module, initializer, random_state=random_state)
        frame = inspect_activations(module, x).to_frame()
        curves[label] = frame.loc[frame["position"] == "activation", "rms"].to_numpy()
    rms = pd.DataFrame(curves, index=pd.RangeIndex(1, depth + 1, name="hidden layer"))
    print("RMS of the activations in the first, a middle and the last layer")
    print(rms.iloc[[0, depth // 2 - 1, depth - 1]].T.to_string(float_format="{:.2g}".format))
    draw(rms)
    return rms


def draw(rms):
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for index, label in enumerate(rms):
        # Xavier's variance equals LeCun's if all layers are as wide as their inputs.
        axes.plot(rms.index, rms[label], "--" if label == "Xavier" else "-", color=palette_color(index), label=label)
    axes.set(yscale="log", ylim=(1e-8, 3), xlabel=rms.index.name, ylabel="RMS of the activations")
    axes.set_xticks(rms.index[:: max(len(rms) // 7, 1)])
    axes.set_title(f"Signal along depth, {len(rms)} ReLU layers before training")
    axes.legend(fontsize=9)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    target = Path("reports/examples/signal_along_depth.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    print(target)


if __name__ == "__main__":
    main()
