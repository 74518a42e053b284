"""What the report of a comparison says of the layers: activations, the signal along depth, weights."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.displays import ActivationGridDisplay, DepthDisplay, WeightGridDisplay, colour_of
from initsk.inspection import signal_rows
from initsk.report._blocks import Block, Column, Item, Picture, Section, Table, Words
from initsk.report._layer_words import describe_activations, describe_verdicts, rows_of, verdicts_over_runs
from initsk.utils._language import Language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LAYERS = 8
_MEASURES = ["rms", "predicted_rms", "nonfinite", "zero_fraction", "dead_fraction", "saturated_fraction"]


def activations_section(shown: ComparisonResult, say: Language, axes: str) -> Section | None:
    """Return the article's grid: a row per initializer, with its verdict, at every moment that was looked at."""
    if signal_rows(shown.layers).empty:
        return None
    moments = _moments(shown.layers, say)
    layers, histograms = (
        _some_layers(frame, signal_rows(shown.layers)["layer"]) for frame in (shown.layers, shown.histograms)
    )
    grids = {
        name: ActivationGridDisplay.from_frames(histograms, layers, phase=phase, epoch=epoch)
        for name, (phase, epoch) in moments.items()
    }
    blocks: list[Block] = [Words(_how_drawn(say, axes), "note")]
    n_layers = signal_rows(shown.layers)["layer"].nunique()
    if n_layers > _MOST_LAYERS:
        values = {"shown": say.integer(_MOST_LAYERS), "all": say.integer(n_layers)}
        blocks.append(Words(say("Of {all} layers, {shown} at equal distances are shown.", **values), "note"))
    for label in shown.initializers:
        pictures: list[Block] = []
        for name, (phase, epoch) in moments.items():
            rows = rows_of(shown.layers, label, phase, epoch)
            if label in grids[name].initializers:
                draw = partial(_draw_row, grids[name], label, axes, say)
                said = f"{label}, {name}: {describe_activations(rows, say.code)}"
                key = f"activations-{len(blocks)}-{len(pictures)}"
                pictures.append(Picture(key, said, draw, "page", label, name, grids[name].layers))
        if pictures:
            blocks.append(_row(shown, label, pictures, say))
    for name, (phase, _) in moments.items():
        if phase != "training":
            draw = partial(_draw_grid, grids[name], axes, say)
            said = say(
                "Histograms of the activations, a row per initializer and a column per layer, {when}.", when=name
            )
            # The grid after training is the picture of a comparison; of who does not train, there is the first alone.
            key = "activations" if name == list(moments)[-1] else f"activations_{phase}"
            blocks.append(Picture(key, said, draw, "files"))
    return Section("activations", say("Activations of the hidden layers"), blocks)


def _row(shown: ComparisonResult, label: str, pictures: list[Block], say: Language) -> Item:
    """Return one initializer's part of the grid, with what is wrong before and after training."""
    names = {"initialized": say("At initialization"), "trained": say("After training")}
    words, ill = [], []
    for phase, name in names.items():
        rows = rows_of(shown.layers, label, phase)
        if len(rows):
            found, n_runs = verdicts_over_runs(rows, rows_of(shown.gradients, label, phase))
            ill += [verdict for verdict, _ in found]
            verdict = describe_verdicts(found, n_runs, say)
            words.append(Words(f"{name}: {verdict}. {describe_activations(rows, say.code)}"))
    verdict = ", ".join(say(name) for name in dict.fromkeys(ill)) or say("healthy")
    key, colour = f"activations-of-{shown.initializers.index(label)}", colour_of(shown.initializers.index(label))
    return Item(key, label, [*words, *pictures], colour, verdict, not ill, label)


def _some_layers(frame: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """Return the rows of as many layers as a row of the grid has room for, first and last among them."""
    layers = list(dict.fromkeys(names))
    if len(layers) <= _MOST_LAYERS:
        return frame
    places = np.linspace(0, len(layers) - 1, _MOST_LAYERS).round().astype(int)
    return frame[frame["layer"].isin([layers[place] for place in places])]


def _moments(layers: pd.DataFrame, say: Language) -> dict[str, tuple[str, int | None]]:
    """Return the moments that were looked at, by their names, in the order of the training."""
    found: dict[str, tuple[str, int | None]] = {}
    phases = layers["phase"].astype(str)
    if (phases == "initialized").any():
        found[say("at initialization")] = ("initialized", None)
    last = layers.loc[phases == "trained", "epoch"].max()
    for epoch in sorted(layers.loc[phases == "training", "epoch"].unique()):
        if epoch != last:
            found[say("after epoch {n}", n=say.integer(epoch))] = ("training", int(epoch))
    if (phases == "trained").any():
        found[say("after training")] = ("trained", None)
    return found


def _how_drawn(say: Language, axes: str) -> str:
    said = say(
        "Histograms over the held-out samples, after the activation function, all repeats pooled (on the way through"
        " training, the first repeat alone); exact zeros are taken out and written as a share."
    )
    if axes == "article":
        fixed = say("Axes are fixed at -1 to 1 by 0 to 4; values beyond are not shown.")
        return f"{said} {fixed}"
    more = say(
        "Density is on a logarithmic axis shared by all rows; a column's range holds 99.9 % of every row's values."
    )
    return f"{said} {more}"


def _draw_row(grid: ActivationGridDisplay, label: str, axes: str, say: Language) -> "Figure":
    return grid.plot(axes=axes, initializers=[label], language=say.code).figure_


def _draw_grid(grid: ActivationGridDisplay, axes: str, say: Language) -> "Figure":
    return grid.plot(axes=axes, language=say.code).figure_


def signal_section(shown: ComparisonResult, say: Language) -> Section | None:
    """Return the size of signal and gradient along depth at initialization, against what theory predicts."""
    forward = dict(_means(shown, shown.layers))
    if not forward:
        return None
    backward = dict(_means(shown, shown.gradients))
    display = DepthDisplay.from_frames(forward, {label: frame for label, frame in backward.items() if label in forward})
    rows = [_signal_row(label, forward[label], backward.get(label)) for label in forward]
    columns = [
        Column("initializer", say("Initializer"), "text"),
        Column("last", say("RMS of the last hidden layer"), "short"),
        Column("last_predicted", say("predicted"), "short"),
        Column("forward", say("Largest deviation, forward"), "share"),
        Column("first", say("RMS of the gradient at the first hidden layer"), "short"),
        Column("first_predicted", say("predicted"), "short"),
        Column("backward", say("Largest deviation, backward"), "share"),
    ]
    said = say("Root mean square of activations and gradients along depth, a line per initializer.")
    colours = [colour_of(shown.initializers.index(label)) for label in forward]
    blocks: list[Block] = [
        Words(_how_well(rows, say)),
        Picture("signal", said, lambda: display.plot(language=say.code).figure_),
        Table("signal", say("Measured and predicted at initialization"), columns, rows, colours),
        Words(
            say(
                "Means over the repeats. Forward, theory starts from the first layer's length (Poole et al. 2016,"
                " equation 3); backward, from the gradient at the output (Schoenholz et al. 2017). It speaks of wide"
                " layers: in narrow ones single draws scatter about it."
            ),
            "note",
        ),
    ]
    return Section("signal", say("Signal along depth, at initialization"), blocks)


def _means(shown: ComparisonResult, table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the means over the repeats at initialization, of all initializers, so that each keeps its colour."""
    for label in shown.initializers:
        rows = rows_of(table, label, "initialized")
        # A single layer has no depth.
        if len(signal_rows(rows)):
            yield label, rows.groupby(["layer", "site"], sort=False)[_MEASURES].mean().reset_index()


def _signal_row(label: str, forward: pd.DataFrame, backward: pd.DataFrame | None) -> dict[str, Any]:
    body = signal_rows(forward)
    row = {"initializer": label, "last": body["rms"].iloc[-1], "last_predicted": body["predicted_rms"].iloc[-1]}
    row |= {"forward": _deviation(body), "first": np.nan, "first_predicted": np.nan, "backward": np.nan}
    if backward is not None:
        back = signal_rows(backward)
        row |= {"first": back["rms"].iloc[0], "first_predicted": back["predicted_rms"].iloc[0]}
        row["backward"] = _deviation(back)
    return row


def _deviation(frame: pd.DataFrame) -> float:
    """Return how far the measured values are from the predicted ones at most, as a share; NaN without any."""
    at = frame[frame["predicted_rms"] > 0]
    return float((at["rms"] / at["predicted_rms"] - 1).abs().max()) if len(at) else np.nan


def _how_well(rows: list[dict[str, Any]], say: Language) -> str:
    forward, backward = (pd.Series([row[name] for row in rows], dtype=float).max() for name in ("forward", "backward"))
    if np.isnan(forward):
        return say(
            "Theory predicts nothing here: the network is no plain chain of layers, or no signal passes, or its"
            " activation function has no mean over a normal distribution."
        )
    if np.isnan(backward):
        return say(
            "What was measured differs from what theory predicts by at most {share}.", share=say.percent(forward)
        )
    return say(
        "What was measured differs from what theory predicts by at most {forward} forward and {backward} backward.",
        forward=say.percent(forward), backward=say.percent(backward),
    )  # fmt: skip


def weights_section(shown: ComparisonResult, say: Language) -> Section | None:
    """Return histograms and norms of the weights, before and after training."""
    weights = shown.weights[shown.weights["site"] == "weight"]
    if weights.empty:
        return None
    names = {"initialized": say("at initialization"), "trained": say("after training")}
    grids = {
        phase: WeightGridDisplay.from_frames(
            *(_some_layers(frame, weights["layer"]) for frame in (shown.histograms, shown.weights)), phase=phase
        )
        for phase in names
        if (weights["phase"] == phase).any()
    }
    rows = list(_weight_rows(shown, weights))
    columns = [
        Column("initializer", say("Initializer"), "text"),
        Column("layer", say("Layer"), "text"),
        Column("std_initialized", say("Std at initialization"), "short"),
        Column("std_trained", say("Std after training"), "short"),
        Column("norm_initialized", say("Norm at initialization"), "short"),
        Column("norm_trained", say("Norm after training"), "short"),
    ]
    colours = [colour_of(shown.initializers.index(row["initializer"])) for row in rows]
    blocks: list[Block] = [Table("weights", say("Standard deviation and norm of the weights"), columns, rows, colours)]
    for label in shown.initializers:
        pictures: list[Block] = []
        for phase, grid in grids.items():
            if label in grid.initializers:
                key, draw = f"weights-{len(blocks)}-{phase}", partial(_draw_row, grid, label, "shared", say)
                said = say(
                    "Histograms of the weights of {name}, a panel per layer, {when}.", name=label, when=names[phase]
                )
                pictures.append(Picture(key, said, draw, "page", label, names[phase], grid.layers))
        if pictures:
            number = shown.initializers.index(label)
            blocks.append(Item(f"weights-of-{number}", label, pictures, colour_of(number), subject=label))
    for phase, grid in grids.items():
        when = names[phase]
        said = say("Histograms of the weights, a row per initializer and a column per layer, {when}.", when=when)
        key = "weights" if phase == list(grids)[-1] else f"weights_{phase}"
        blocks.append(Picture(key, said, partial(_draw_grid, grid, "shared", say), "files"))
    return Section("weights", say("Weights"), blocks)


def _weight_rows(shown: ComparisonResult, weights: pd.DataFrame) -> Iterator[dict[str, Any]]:
    norms = weights.assign(norm=weights["rms"] * np.sqrt(weights["count"]))
    keys = [norms["initializer"].astype(str), "layer", norms["phase"].astype(str)]
    means = norms.groupby(keys, sort=False)[["std", "norm"]].mean()
    layers = list(dict.fromkeys(weights["layer"]))
    for label in shown.initializers:
        for layer in layers:
            row = {"initializer": label, "layer": layer}
            for phase in ("initialized", "trained"):
                at = (label, layer, phase)
                for name in ("std", "norm"):
                    row[f"{name}_{phase}"] = float(means.loc[at, name]) if at in means.index else np.nan
            if not np.isnan(row["std_initialized"]):
                yield row
