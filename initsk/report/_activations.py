"""What the report of a comparison says of the activations: the article's grid, a verdict on each row."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.displays import ActivationGridDisplay, DepthDisplay, WeightGridDisplay, colour_of
from initsk.inspection import signal_rows
from initsk.language import Language, message
from initsk.report._comparison_text import (
    MAX_LAYERS,
    describe_activations,
    describe_kinds,
    draw,
    kinds_over_runs,
    rows_of,
    some_layers,
    whole_grids,
)
from initsk.report._elements import Column, Element, Paragraph, Picture, Section, Subsection, Table
from initsk.report._findings_text import KIND_NAMES

# Phase and epoch by the name that the page has for the moment.
Moments = dict[str, tuple[str, int | None]]
_WHOLE = message("Histograms of the activations, a row per initializer and a column per layer, {when}.")


def activations_section(shown: ComparisonResult, translate: Language, axes: str) -> Section | None:
    """Return the article's grid: a row per initializer, with its verdict, at every moment that was looked at."""
    if signal_rows(shown.layers).empty:
        return None
    moments = _moments(shown.layers, translate)
    names = signal_rows(shown.layers)["layer"]
    layers, histograms = (some_layers(frame, names) for frame in (shown.layers, shown.histograms))
    grids = {
        name: ActivationGridDisplay.from_frames(histograms, layers, phase=phase, epoch=epoch)
        for name, (phase, epoch) in moments.items()
    }
    elements: list[Element] = [Paragraph(_how_drawn(translate, axes), "note")]
    n_layers = names.nunique()
    if n_layers > MAX_LAYERS:
        values = {"shown": translate.integer(MAX_LAYERS), "all": translate.integer(n_layers)}
        elements.append(
            Paragraph(translate("Of {all} layers, {shown} at equal distances are shown.", **values), "note")
        )
    for label in shown.initializers:
        pictures = list(_pictures(shown, label, grids, moments, axes, translate))
        if pictures:
            elements.append(_row(shown, label, pictures, translate))
    whole = {phase: (name, grids[name]) for name, (phase, _) in moments.items() if phase != "training"}
    elements += whole_grids("activations", _WHOLE, whole, axes, translate)
    return Section("activations", translate("Activations of the hidden layers"), elements)


def _pictures(
    shown: ComparisonResult,
    label: str,
    grids: dict[str, ActivationGridDisplay],
    moments: Moments,
    axes: str,
    translate: Language,
) -> Iterator[Picture]:
    """Yield one initializer's row at every moment."""
    place = shown.initializers.index(label)
    for number, (name, (phase, epoch)) in enumerate(moments.items()):
        if label in grids[name].initializers:
            rows = rows_of(shown.layers, label, phase, epoch)
            said = f"{label}, {name}: {describe_activations(rows, translate.code)}"
            paint = partial(draw, grids[name], axes, translate, label)
            yield Picture(f"activations-{place}-{number}", said, paint, "page", label, name, grids[name].layers)


def _row(shown: ComparisonResult, label: str, pictures: list[Picture], translate: Language) -> Subsection:
    """Return one initializer's part of the grid, with what is wrong before and after training."""
    names = {"initialized": translate("At initialization"), "trained": translate("After training")}
    words, kinds = [], []
    for phase, name in names.items():
        rows = rows_of(shown.layers, label, phase)
        if len(rows):
            found, n_runs = kinds_over_runs(rows, rows_of(shown.gradients, label, phase))
            kinds += [kind for kind, _ in found]
            described = describe_kinds(found, n_runs, translate)
            words.append(Paragraph(f"{name}: {described}. {describe_activations(rows, translate.code)}"))
    verdict = ", ".join(translate(KIND_NAMES[kind]) for kind in dict.fromkeys(kinds)) or translate("healthy")
    key, colour = f"activations-of-{shown.initializers.index(label)}", colour_of(shown.initializers.index(label))
    return Subsection(key, label, [*words, *pictures], colour, verdict, not kinds, label)


def _moments(layers: pd.DataFrame, translate: Language) -> Moments:
    """Return the moments that were looked at, by their names, in the order of the training."""
    found: Moments = {}
    phases = layers["phase"].astype(str)
    if (phases == "initialized").any():
        found[translate("at initialization")] = ("initialized", None)
    last = layers.loc[phases == "trained", "epoch"].max()
    for epoch in sorted(layers.loc[phases == "training", "epoch"].unique()):
        if epoch != last:
            found[translate("after epoch {n}", n=translate.integer(epoch))] = ("training", int(epoch))
    if (phases == "trained").any():
        found[translate("after training")] = ("trained", None)
    return found


def _how_drawn(translate: Language, axes: str) -> str:
    said = translate(
        "Histograms over the held-out samples, after the activation function, all runs pooled (on the way through"
        " training, the first run of each alone); exact zeros are taken out and written as a share."
    )
    if axes == "article":
        fixed = translate("Axes are fixed at -1 to 1 by 0 to 4; values beyond are not shown.")
        return f"{said} {fixed}"
    more = translate(
        "Density is on a logarithmic axis shared by all rows; a column's range holds 99.9 % of every row's values, but"
        " for those beyond a million, which say how far they go."
    )
    return f"{said} {more}"


_WHOLE_WEIGHTS = message("Histograms of the weights, a row per initializer and a column per layer, {when}.")


def weights_section(shown: ComparisonResult, translate: Language) -> Section | None:
    """Return histograms and norms of the weights, before and after training."""
    weights = shown.weights[shown.weights["parameter"] == "weight"]
    if weights.empty:
        return None
    names = {"initialized": translate("at initialization"), "trained": translate("after training")}
    grids = {
        phase: WeightGridDisplay.from_frames(
            *(some_layers(frame, weights["layer"]) for frame in (shown.weight_histograms, shown.weights)), phase=phase
        )
        for phase in names
        if (weights["phase"] == phase).any()
    }
    rows = list(_weight_rows(shown, weights))
    columns = [
        Column("initializer", translate("Initializer"), "text"),
        Column("layer", translate("Layer"), "text"),
        Column("std_initialized", translate("Std at initialization"), "short"),
        Column("std_trained", translate("Std after training"), "short"),
        Column("norm_initialized", translate("Norm at initialization"), "short"),
        Column("norm_trained", translate("Norm after training"), "short"),
    ]
    colours = [colour_of(shown.initializers.index(row["initializer"])) for row in rows]
    elements: list[Element] = [
        Table("weights", translate("Standard deviation and norm of the weights"), columns, rows, colours)
    ]
    for label in shown.initializers:
        pictures: list[Element] = []
        for phase, grid in grids.items():
            if label in grid.initializers:
                key, paint = f"weights-{len(elements)}-{phase}", partial(draw, grid, "shared", translate, label)
                said = translate(
                    "Histograms of the weights of {name}, a panel per layer, {when}.", name=label, when=names[phase]
                )
                pictures.append(Picture(key, said, paint, "page", label, names[phase], grid.layers))
        if pictures:
            number = shown.initializers.index(label)
            elements.append(Subsection(f"weights-of-{number}", label, pictures, colour_of(number), subject=label))
    whole = {phase: (names[phase], grid) for phase, grid in grids.items()}
    elements += whole_grids("weights", _WHOLE_WEIGHTS, whole, "shared", translate)
    return Section("weights", translate("Weights"), elements)


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


_MEASURES = ["rms", "predicted_rms", "nonfinite", "zero_fraction", "dead_fraction", "saturated_fraction"]


def signal_section(shown: ComparisonResult, translate: Language) -> Section | None:
    """Return the size of signal and gradient along depth at initialization, against what theory predicts."""
    forward = dict(_means(shown, shown.layers))
    if not forward:
        return None
    backward = dict(_means(shown, shown.gradients))
    backward = {label: frame for label, frame in backward.items() if label in forward}
    display = DepthDisplay.from_frames(forward, backward, order=shown.initializers)
    rows = [_signal_row(label, forward[label], backward.get(label)) for label in forward]
    columns = [
        Column("initializer", translate("Initializer"), "text"),
        Column("last", translate("RMS of the last hidden layer"), "short"),
        Column("last_predicted", translate("predicted"), "short"),
        Column("forward", translate("Largest deviation, forward"), "share"),
        Column("first", translate("RMS of the gradient at the first hidden layer"), "short"),
        Column("first_predicted", translate("predicted"), "short"),
        Column("backward", translate("Largest deviation, backward"), "share"),
    ]
    said = translate("Root mean square of activations and gradients along depth, a line per initializer.")
    colours = [colour_of(shown.initializers.index(label)) for label in forward]
    elements: list[Element] = [
        Paragraph(_how_well(rows, translate)),
        Picture("signal", said, lambda: display.plot(language=translate.code).figure_),
        Table("signal", translate("Measured and predicted at initialization"), columns, rows, colours),
        Paragraph(
            translate(
                "Means over the runs. Forward, theory starts from the first layer's length (Poole et al. 2016,"
                " equation 3); backward, from the gradient at the output (Schoenholz et al. 2017). It speaks of wide"
                " layers: in narrow ones single draws scatter about it."
            ),
            "note",
        ),
    ]
    return Section("signal", translate("Signal along depth, at initialization"), elements)


def _means(shown: ComparisonResult, table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the means over the repeats at initialization, of all initializers, so that each keeps its colour."""
    for label in shown.initializers:
        rows = rows_of(table, label, "initialized")
        # A single layer has no depth.
        if len(signal_rows(rows)):
            yield label, rows.groupby(["layer", "position"], sort=False)[_MEASURES].mean().reset_index()


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


def _how_well(rows: list[dict[str, Any]], translate: Language) -> str:
    forward, backward = (pd.Series([row[name] for row in rows], dtype=float).max() for name in ("forward", "backward"))
    if np.isnan(forward):
        return translate(
            "Theory predicts nothing here: the network is no plain chain of layers, or no signal passes, or its"
            " activation function has no mean over a normal distribution."
        )
    if np.isnan(backward):
        return translate(
            "What was measured differs from what theory predicts by at most {share}.", share=translate.percent(forward)
        )
    return translate(
        "What was measured differs from what theory predicts by at most {forward} forward and {backward} backward.",
        forward=translate.percent(forward), backward=translate.percent(backward),
    )  # fmt: skip
