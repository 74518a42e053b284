"""Frames of small networks, and what a picture of them holds."""

from collections import OrderedDict

import numpy as np
import pandas as pd
from matplotlib.collections import QuadMesh
from matplotlib.patches import StepPatch
from torch import nn

from initsk.displays import (
    ActivationGridDisplay,
    DepthDisplay,
    DifferencesDisplay,
    HistogramGridDisplay,
    HistoryDisplay,
    LayerStripDisplay,
    LearningCurvesDisplay,
    LearningRateDisplay,
    NetworkDisplay,
    PhaseDiagramDisplay,
    TrialDisplay,
    WeightGridDisplay,
)
from initsk.theory import phase_diagram
from tests.helpers import build

PLANE = phase_diagram("tanh", cells=8)

NAN = float("nan")
PAIR = ("pre_activation", "activation")
STATISTICS = {
    "count": 10, "mean": 0.5, "std": 1.0, "rms": 1.1, "zero_fraction": 0.0, "dead_fraction": 0.0,
    "saturated_fraction": NAN, "nonfinite": 0,
}  # fmt: skip


def summary(*rows):
    """Return a frame of rows (layer, position, values other than STATISTICS)."""
    return pd.DataFrame(
        [{"layer": layer, "position": position, **STATISTICS, **given} for layer, position, given in rows]
    )


def bins(layer, position, edges, counts):
    count = np.asarray(counts)
    width = np.diff(edges)
    with np.errstate(invalid="ignore"):
        density = count / (max(count.sum(), 1) * width)
    frame = {
        "layer": layer,
        "position": position,
        "left": edges[:-1],
        "right": edges[1:],
        "count": count,
        "density": density,
    }
    return pd.DataFrame(frame)


def network(names, edges=(-1.0, 0.0, 1.0), counts=(4, 6), **given):
    """Return histograms and statistics of layers with an activation function each."""
    keys = [(name, position) for name in names for position in PAIR]
    histograms = pd.concat([bins(*key, edges, counts) for key in keys], ignore_index=True)
    return histograms, summary(*((*key, given) for key in keys))


def recorded(steps, layer="hidden_1", **columns):
    """Return the rows of one layer over time; `columns` give a value per step."""
    frame = pd.concat([summary((layer, "activation", {})).assign(step=step, epoch=0) for step in steps])
    return frame.assign(**columns).reset_index(drop=True)


def texts(ax):
    return "\n".join(text.get_text() for text in ax.texts)


def drawn(ax):
    """Return the heights and edges of the filled histogram of a panel."""
    [*_, patch] = [patch for patch in ax.patches if isinstance(patch, StepPatch) and patch.get_fill()]
    return patch.get_data().values, patch.get_data().edges


def mesh(ax):
    """Return the cells of a heat map (0 without a value) and their edges along x and y."""
    [found] = [collection for collection in ax.collections if isinstance(collection, QuadMesh)]
    corners = found.get_coordinates()
    return found.get_array().filled(0), corners[0, :, 0], corners[:, 0, 1]


def lines(ax):
    """Return the y data of every line in the order drawn, without marks."""
    return [line.get_ydata() for line in ax.lines if line.get_linestyle() != "None"]


def marks(ax, marker):
    return [float(x) for line in ax.lines if line.get_marker() == marker for x in line.get_xdata()]


def histograms_over(steps, edges, counts):
    parts = [bins("hidden_1", "activation", e, c).assign(step=s) for s, e, c in zip(steps, edges, counts, strict=True)]
    return pd.concat(parts, ignore_index=True)


def deep(rms, **columns):
    frame = summary(*((f"h{i}", "activation", {"rms": value}) for i, value in enumerate(rms)))
    return frame.assign(**columns)


def compared(labels=("init 0", "init 1", "init 2"), layers=("a", "b")):
    """Return histograms, statistics, history and runs of a comparison of initializers."""
    histograms, frame = network(layers)
    histograms, frame = (
        pd.concat([part.assign(initializer=label, phase="trained", epoch=2, repeat=0) for label in labels])
        for part in (histograms, frame)
    )
    history = pd.DataFrame([(label, 0, e, 1 / (e + i), 0.5 + i / 10) for i, label in enumerate(labels) for e in (1, 2)])
    history.columns = ["initializer", "repeat", "epoch", "train_loss", "val_score"]
    runs = pd.DataFrame([(label, r, 0, r, 0.9 - i / 100, 0.25) for i, label in enumerate(labels) for r in (0, 1)])
    runs.columns = ["initializer", "repeat", "fold", "split", "score", "val_ratio"]
    runs["initializer"] = pd.Categorical(runs["initializer"])
    return histograms, frame, history, runs


EIGHT = (
    "he_normal", "glorot_normal", "lecun_normal", "orthogonal", "random_normal", "zeros", "torch_default", "he_uniform",
)  # fmt: skip


def displays_of_eight(n_layers=3):
    """Return displays of a comparison of eight initializers, and how many axes each needs."""
    layers = [f"hidden_{i}" for i in range(n_layers)]
    histograms, frame, history, runs = compared(EIGHT, layers)
    weights = (part.assign(parameter="weight") for part in (histograms, frame))
    summaries = {label: deep([1.0 + i] * n_layers) for i, label in enumerate(EIGHT)}
    points = {label: (0.3 + i / 2, i / 50) for i, label in enumerate(EIGHT)}
    return {
        "ActivationGridDisplay": (ActivationGridDisplay.from_frames(histograms, frame), 8 * n_layers),
        "DepthDisplay": (DepthDisplay.from_frames(summaries, summaries), 4),
        "DifferencesDisplay": (DifferencesDisplay.from_frames(runs), 1),
        "LearningCurvesDisplay": (LearningCurvesDisplay.from_frames(history, baseline=0.2), 2),
        "PhaseDiagramDisplay": (PhaseDiagramDisplay(PLANE, points), 1),
        "WeightGridDisplay": (WeightGridDisplay.from_frames(*weights), 8 * n_layers),
    }


def named_network(name):
    """Return a module with a layer of this name, as far as torch allows the name."""
    layers = {name.replace(".", "_"): (3, 4), "b": (4, 2)}
    return build(lambda: nn.Sequential(OrderedDict((key, nn.Linear(*sizes)) for key, sizes in layers.items())))


# A trial of four steps, and trials at three learning rates.
STEPS = pd.DataFrame(
    {
        "step": [1.0, 2.0, 3.0, 4.0],
        "loss": [2.5, 2.2, 2.0, 1.7],
        "gradient_norm": [1.0, 0.8, 0.9, 0.7],
        "update_ratio": [0.003, 0.002, np.nan, 0.002],
    }
)
RATES = pd.DataFrame(
    {
        "lr": [0.001, 0.01, 0.1],
        "score": [0.6, 0.9, 0.1],
        "relative_loss": [0.9, 0.5, np.inf],
        "works": [True, True, False],
    }
)


def all_displays(name="hidden_1", counts=(4, 6)):
    """Return one display of each class, of a network with this layer, and how many axes it needs."""
    histograms, frame = network([name], counts=counts)
    over, over_frame = (pd.concat([part.assign(step=step) for step in (0, 1)]) for part in (histograms, frame))
    compared_histograms, compared_frame, history, runs = compared()
    weights = (part.assign(parameter="weight") for part in (compared_histograms, compared_frame))
    return {
        "ActivationGridDisplay": (ActivationGridDisplay.from_frames(compared_histograms, compared_frame), 6),
        "DepthDisplay": (DepthDisplay.from_frames({name: frame, "b": frame}, {name: frame}), 4),
        "DifferencesDisplay": (DifferencesDisplay.from_frames(runs), 1),
        "HistogramGridDisplay": (HistogramGridDisplay.from_frames(histograms, frame), 2),
        "HistoryDisplay": (HistoryDisplay.from_frames(over, over_frame), 2),
        "LayerStripDisplay": (LayerStripDisplay.from_frames(histograms, frame), 1),
        "LearningCurvesDisplay": (LearningCurvesDisplay.from_frames(history), 2),
        "LearningRateDisplay": (LearningRateDisplay(RATES, 0.01), 2),
        "NetworkDisplay": (NetworkDisplay.from_module(named_network(name)), 1),
        "PhaseDiagramDisplay": (PhaseDiagramDisplay(PLANE, {name: (1.0, 0.0)}), 1),
        "TrialDisplay": (TrialDisplay(STEPS, 2.3, 1.8), 2),
        "WeightGridDisplay": (WeightGridDisplay.from_frames(*weights), 6),
    }
