"""
The mean length along depth, and its fluctuation
================================================

The squared length of a layer is the mean square of its activations. With weights of variance s / fan_in, each layer of
a ReLU network multiplies the mean squared length over many draws of the weights by exactly s / 2. Only s = 2 keeps it
constant (Hanin and Rolnick 2018). Single draws fluctuate about this mean. With Gaussian weights, a layer of n units
multiplies the second moment of the squared length by 1 + 5 / n. The fluctuation therefore depends on the sum of the
reciprocal widths. Writes ``reports/examples/hanin2018_mean_length.png``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from initsk.displays import palette_color
from initsk.initializers import VarianceScaling

SCALES = (1.6, 1.8, 2.0, 2.2, 2.4)
# Sums of reciprocal widths: 0.05, 0.1 and 0.2, each in several ways.
NETWORKS = {
    "5 x 100": (100,) * 5,
    "2 x 40": (40,) * 2,
    "10 x 100": (100,) * 10,
    "5 x 50": (50,) * 5,
    "2 x (100, 25)": (100, 25) * 2,
    "20 x 100": (100,) * 20,
    "10 x 50": (50,) * 10,
    "4 x (100, 25)": (100, 25) * 4,
}


def main(widths=(50,) * 20, scales=SCALES, networks=NETWORKS, n_draws=4000, random_state=0):
    lengths = {scale: squared_lengths(widths, scale, n_draws, random_state + k) for k, scale in enumerate(scales)}
    along_depth = pd.DataFrame({scale: values.mean(axis=1) for scale, values in lengths.items()})
    errors = pd.DataFrame({scale: values.std(axis=1) / n_draws**0.5 for scale, values in lengths.items()})
    last = pd.DataFrame({"mean": along_depth.iloc[-1], "standard error": errors.iloc[-1]})
    last["predicted"] = (last.index / 2) ** len(widths)
    title = f"{len(widths)} layers of {widths[0]} units"
    print(f"Mean squared length after {title}, {n_draws} draws; predicted: (s / 2)^depth")
    print(last.rename_axis("s").to_string(float_format="{:.3g}".format))
    rows = []
    for name, sizes in networks.items():
        final = squared_lengths(sizes, 2.0, n_draws, random_state)[-1]
        variance = np.prod([1 + 5 / size for size in sizes]) - 1
        rows.append((name, sum(1 / size for size in sizes), final.mean(), final.std(), variance**0.5))
    columns = ["network", "sum of 1 / width", "mean", "std", "predicted"]
    spread = pd.DataFrame(rows, columns=columns).set_index("network")
    print("Fluctuation of the squared length at s = 2; predicted: std = sqrt(prod(1 + 5 / width) - 1)")
    print(spread.to_string(float_format="{:.3g}".format))
    draw(along_depth, errors, spread, title)
    return last, spread


def squared_lengths(widths, scale, n_draws, random_state):
    """Return the mean square of the ReLU activations, a row per layer and a column per draw; the input has 1."""
    initializer = VarianceScaling(scale=scale)
    generator = torch.Generator().manual_seed(random_state)
    x = torch.ones(n_draws, widths[0], 1)
    lengths = [np.ones(n_draws)]
    for width in widths:
        fan_in = x.shape[1]
        # Rows are independent and their variance depends only on fan_in, so one tensor holds all draws.
        weights = initializer.sample((n_draws * width, fan_in), generator=generator)
        x = torch.relu(weights.reshape(n_draws, width, fan_in) @ x)
        lengths.append(x.double().square().mean(dim=(1, 2)).numpy())
    return np.stack(lengths)


def draw(along_depth, errors, spread, title):
    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    depth = along_depth.index.to_numpy()
    for index, scale in enumerate(along_depth):
        mean, color = along_depth[scale], palette_color(index)
        left.plot(depth, mean, color=color, label=f"s = {scale}")
        left.fill_between(depth, mean - 2 * errors[scale], mean + 2 * errors[scale], color=color, alpha=0.2, lw=0)
        # The legend has one entry for all predictions, after those of the scales.
        label = "$(s/2)^{depth}$" if scale == along_depth.columns[-1] else None
        left.plot(depth, (scale / 2) ** depth, ":", color="#404040", lw=1, label=label)
    left.set(yscale="log", xlabel="layer", ylabel="mean square of the activations")
    left.set_xticks(range(0, len(depth), max(len(depth) // 5, 1)))
    left.set_title(f"Variance s / fan_in, {title}")
    left.legend(fontsize=9)
    for index, (name, row) in enumerate(spread.iterrows()):
        right.plot(
            row["sum of 1 / width"],
            row["std"],
            "os^Dv<>P"[index % 8],
            ms=8,
            mfc="none",
            mew=1.5,
            color=palette_color(index),
            label=name,
        )
    sums = np.linspace(0, 1.1 * spread["sum of 1 / width"].max(), 100)
    right.plot(sums, np.sqrt(np.expm1(5 * sums)), ":", color="#404040", label=r"$\sqrt{e^{5 \Sigma} - 1}$")
    right.set(xlabel=r"sum of reciprocal widths $\Sigma$", ylabel="standard deviation / mean", ylim=(0, None))
    right.set_title("Fluctuation between draws, s = 2")
    right.legend(title="layers x units", fontsize=9)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    target = Path("reports/examples/hanin2018_mean_length.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    print(target)


if __name__ == "__main__":
    main()
