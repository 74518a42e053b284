"""Compare measured mean squares of every layer with the prediction intervals of 99 %.

For every activation function, width and initializer with an expected variance, networks are drawn again and again, and
the mean square of each layer, forward and backward, of one sample is compared with `initsk.diagnosis.predict_signal`.
Writes results/theory.csv and .png.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fleet import network
from torch.func import functional_call, stack_module_state, vmap

from initsk import initialize, list_initializers
from initsk.diagnosis import predict_signal

RESULTS = Path(__file__).parent / "results"
ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "selu", "elu", "sin")
SHAPES = ((4, 64), (4, 256), (10, 128), (10, 256))
ROUNDING = 1e-5
INITIALIZERS = [
    *list_initializers().query("family == 'variance scaling' and name != 'variance_scaling'")["name"],
    "orthogonal", "edge_of_chaos", "torch_default", "auto",
]  # fmt: skip


def squares(modules, x):
    """Return the mean squares of every layer's output and of its gradient for one sample, (networks, layers) each."""
    stacked, _ = stack_module_state(modules)
    values = {name: part.detach() for name, part in stacked.items()}
    parts = list(modules[0].named_children())
    signals, signal = [], x.expand(len(modules), 1, -1)
    for name, part in parts:
        own = {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
        signal = (
            vmap(lambda weights, s, part=part: functional_call(part, weights, (s,)))(own, signal)
            if own
            else part(signal)
        )
        signal.requires_grad_() if not signal.requires_grad else signal.retain_grad()
        signal.retain_grad()
        signals.append(signal)
    generator = torch.Generator().manual_seed(1)
    signal.backward(torch.randn(signal.shape, generator=generator))
    forward, backward = (
        torch.stack([part.double().square().mean((1, 2)) for part in group], 1)
        for group in ([s.detach() for s in signals], [s.grad for s in signals])
    )
    return forward.numpy(), (backward / backward[:, -1:]).numpy()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = []
    generator = torch.Generator().manual_seed(0)
    for depth, width in SHAPES:
        x = torch.randn(1, width, generator=generator)
        for activation in ACTIVATIONS:
            for initializer in INITIALIZERS:
                modules = [network(width, width, activation, depth, width) for _ in range(options.draws)]
                for seed, module in enumerate(modules):
                    initialize(module, initializer, random_state=seed)
                frame = predict_signal(modules[0], initializer, input_square=float(x.square().mean()))
                for way, measured in zip(("forward", "backward"), squares(modules, x), strict=True):
                    # The gradient of the last layer is given.
                    used = slice(None) if way == "forward" else slice(None, -1)
                    low, high = (frame[f"{way}_{end}"].to_numpy()[used] for end in ("low", "high"))
                    # An orthogonal matrix leaves no scatter, only rounding errors.
                    inside = (measured[:, used] >= low * (1 - ROUNDING)) & (measured[:, used] <= high * (1 + ROUNDING))
                    mean = frame[way].to_numpy()[used]
                    with np.errstate(divide="ignore", invalid="ignore"):
                        off = np.abs(np.median(measured[:, used], 0) / mean - 1).max()
                    rows.append((activation, depth, width, initializer, way, inside.mean(), inside[:, 0].size, off))
        print(depth, width, flush=True)
    columns = ["activation", "depth", "width", "initializer", "way", "inside", "draws", "farthest_median"]
    frame = pd.DataFrame(rows, columns=columns)
    options.out.mkdir(exist_ok=True)
    frame.to_csv(options.out / "theory.csv", index=False, float_format="%.5g")
    print(frame.groupby("way")["inside"].describe().to_string())
    print(frame.pivot_table(index="activation", columns=["way", "width"], values="inside").round(4).to_string())
    print(frame.pivot_table(index="initializer", columns=["way"], values="inside").round(4).to_string())
    draw(frame, options.out / "theory.png")


def draw(frame, path):
    """Draw the share of draws inside the interval, with one panel for each direction."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    for axes, way in zip(figure.subplots(1, 2, sharey=True), ("forward", "backward"), strict=True):
        means = frame[frame["way"] == way].pivot_table(index="activation", columns=["depth", "width"], values="inside")
        for position, (shape, column) in enumerate(means.items()):
            axes.plot(
                means.index, column, "o", markersize=5, color=f"C{position}", label=f"{shape[0]} layers of {shape[1]}"
            )
        axes.axhline(0.99, color="#808080", linewidth=0.8)
        axes.set_title(f"draws inside the interval of 99 %, {way}", fontsize=10)
        axes.tick_params(axis="x", rotation=60)
        axes.set_ylim(0.8, 1.005)
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
