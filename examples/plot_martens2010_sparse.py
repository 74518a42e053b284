"""
Fifteen connections per unit at any width
=========================================

Martens (2010, section 5) gives each unit exactly fifteen incoming weights that are not zero. The size of a unit's input
then does not grow with the width of the layer below. With weights from N(0, 1), units differ strongly from each other,
and the share of saturated values is the same at every width. Dense weights from N(0, 1) saturate wide layers. (Dense
weights of variance 1 / fan_in do not saturate them either, but each weight becomes small in a wide layer.) Writes
``reports/examples/martens2010_sparse.png``.
"""

from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import nn

from initsk import initialize
from initsk.displays import palette_color
from initsk.initializers import LeCunNormal, RandomNormal, Sparse

INITIALIZERS = {
    "sparse: 15 from N(0, 1)": Sparse(),
    "dense N(0, 1)": RandomNormal(std=1.0),
    "dense N(0, 1 / fan_in)": LeCunNormal(),
}
SATURATED = 0.99


def main(widths=(50, 100, 200, 500, 1000, 2000, 5000), n_units=500, n_samples=500, random_state=0):
    rows = []
    for width in widths:
        # Inputs such as a tanh layer gives.
        X = torch.rand(n_samples, width, generator=torch.Generator().manual_seed(random_state)) * 2 - 1
        for name, initializer in INITIALIZERS.items():
            layer = nn.Linear(width, n_units)
            initialize(layer, initializer, random_state=random_state)
            with torch.no_grad():
                Z = layer(X)
            nonzero = (layer.weight != 0).sum(dim=1)
            rows.append(
                {
                    "width": width,
                    "initializer": name,
                    "fewest weights": nonzero.min().item(),
                    "most weights": nonzero.max().item(),
                    "std of the input": Z.std().item(),
                    "saturated": (Z.tanh().abs() > SATURATED).double().mean().item(),
                }
            )
    frame = pd.DataFrame(rows)
    print("Number of weights that are not zero per unit, and the input of tanh units above a layer of each width")
    for name, table in frame.groupby("initializer", sort=False):
        print(f"\n{name}")
        print(table.set_index("width").drop(columns="initializer").to_string(float_format="{:.3f}".format))
    draw(frame)
    return frame


def draw(frame):
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for index, name in enumerate(INITIALIZERS):
        part = frame[frame["initializer"] == name]
        left.plot(part["width"], part["std of the input"], "o-", color=palette_color(index), label=name)
        right.plot(part["width"], part["saturated"] * 100, "o-", color=palette_color(index), label=name)
    left.set(xscale="log", yscale="log", ylabel="standard deviation of a unit's input")
    left.set_title("Size of the input")
    left.legend()
    right.set(xscale="log", ylim=(-3, 100), ylabel="values of tanh beyond ±0.99 (%)", title="Saturation")
    for axes in (left, right):
        axes.set_xlabel("width of the layer below (units)")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    target = Path("reports/examples/martens2010_sparse.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    print(target)


if __name__ == "__main__":
    main()
