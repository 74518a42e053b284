"""
How far does a signal travel?
=============================

A ReLU network of twenty layers, before any training: the root mean square of the activations
in each layer, for six initializers. Ends in ``reports/examples/signal_along_depth.png``.
"""

from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure

from initsk import initialize, inspect_activations
from initsk.initializers import Orthogonal
from initsk.modules import MLP

DEPTH = 20
x = torch.randn(1000, 100, generator=torch.Generator().manual_seed(0))

curves = {}
for initializer in ["random_normal", "torch_default", "lecun_normal", "xavier", "he_normal", Orthogonal(gain=2**0.5)]:
    module = MLP(100, 10, (100,) * DEPTH)
    initialize(module, initializer, random_state=0)
    frame = inspect_activations(module, x).to_frame()
    curves[str(initializer)] = frame.loc[frame["site"] == "activation", "rms"].to_numpy()

rms = pd.DataFrame(curves, index=pd.RangeIndex(1, DEPTH + 1, name="hidden layer"))
print(rms.iloc[[0, 9, 19]].T.to_string(float_format="{:.2g}".format))

figure = Figure(figsize=(7, 4.2), layout="constrained")
axes = figure.subplots()
rms.plot(ax=axes, logy=True, ylabel="RMS of the activations", xticks=range(1, DEPTH + 1, 3), grid=True)
axes.set_title("Signal along depth, before training")
target = Path("reports/examples/signal_along_depth.png")
target.parent.mkdir(parents=True, exist_ok=True)
figure.savefig(target, dpi=120)
print(target)
