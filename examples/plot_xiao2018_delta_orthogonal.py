"""
A convolution that keeps every norm
===================================

A convolution keeps the norm of every input if its kernel has an orthogonal matrix at the center and zeros around it.
Any number of such convolutions keeps it as well (Xiao et al. 2018). A kernel that is orthogonal only when it is
flattened to a matrix does not: it keeps norms on average, like Gaussian weights of variance 1 / fan_in, but stretches
some inputs and shrinks others. The convolutions are circular and have no activation function, so nothing is lost at the
borders. Writes ``reports/examples/xiao2018_delta_orthogonal.png``.
"""

from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import nn

from initsk import initialize
from initsk.displays import palette_color
from initsk.initializers import DeltaOrthogonal, HeNormal, LeCunNormal, Orthogonal

INITIALIZERS = {
    "delta-orthogonal": DeltaOrthogonal(),
    "orthogonal kernel matrix": Orthogonal(),
    "LeCun": LeCunNormal(),
    "He": HeNormal(),
}


def main(depth=100, channels=16, size=6, n_inputs=20, random_state=0):
    shape = (channels, size, size)
    X = torch.randn(n_inputs, *shape, generator=torch.Generator().manual_seed(random_state))
    # Applied to all unit vectors, the stack gives its matrix; small singular values need float64.
    basis = torch.eye(channels * size * size, dtype=torch.float64).reshape(-1, *shape)
    shown = depth // 5
    norms, spectra = {}, {}
    for name, initializer in INITIALIZERS.items():
        stack = nn.Sequential(*[circular_convolution(channels) for _ in range(depth)])
        initialize(stack, initializer, random_state=random_state)
        norms[name] = torch.stack([relative_norms(stack[:k], X) for k in range(depth + 1)])
        with torch.no_grad():
            spectra[name] = torch.linalg.svdvals(stack[:shown].double()(basis).flatten(start_dim=1)).numpy()
    table = pd.DataFrame(
        {
            name: {
                "mean norm": ratio[-1].mean().item(),
                "largest relative error, any depth": (ratio - 1).abs().max().item(),
                "largest singular value": spectra[name][0],
                "smallest singular value": spectra[name][-1],
            }
            for name, ratio in norms.items()
        }
    ).T
    print(f"Norm after {depth} circular 3 x 3 convolutions of {channels} channels, relative to the input's;")
    print(f"singular values of the first {shown} as one matrix (values below 1e-15 are rounding errors)")
    print(table.T.to_string(float_format="{:.3g}".format))
    draw(norms, spectra, shown)
    return table


def circular_convolution(channels):
    return nn.Conv2d(channels, channels, 3, padding=1, padding_mode="circular", bias=False)


def relative_norms(stack, X):
    with torch.no_grad():
        return stack(X).double().flatten(start_dim=1).norm(dim=1) / X.double().flatten(start_dim=1).norm(dim=1)


def draw(norms, spectra, shown):
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for index, name in enumerate(norms):
        ratio, color = norms[name], palette_color(index)
        left.plot(ratio.mean(dim=1), color=color, label=name, zorder=3 - index / 10)
        left.fill_between(range(len(ratio)), ratio.amin(dim=1), ratio.amax(dim=1), color=color, alpha=0.2, linewidth=0)
        right.plot(range(1, len(spectra[name]) + 1), spectra[name], color=color, label=name)
    left.set(yscale="log", ylim=(0.1, 100), xlabel="number of convolutions", ylabel="norm / norm of the input")
    left.set_title(f"{ratio.shape[1]} random inputs: mean, least and greatest")
    left.legend()
    right.set(yscale="log", ylim=(1e-7, 1e5), xlabel="rank of the singular value", ylabel="singular value")
    right.set_title(f"{shown} convolutions as one matrix")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    target = Path("reports/examples/xiao2018_delta_orthogonal.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    print(target)


if __name__ == "__main__":
    # Convolutions this small are faster on one thread.
    torch.set_num_threads(1)
    main()
