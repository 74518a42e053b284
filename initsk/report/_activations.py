"""The sections of a comparison on activations, weights and the signal along depth."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.displays import ActivationGridDisplay, DepthDisplay, WeightGridDisplay, color_of
from initsk.inspection import MIN_SAMPLES, layer_thresholds, signal_rows
from initsk.language import message, translate as _
from initsk.report._compared import compared_in
from initsk.report._comparison_notes import describe_shared_numbers
from initsk.report._comparison_text import describe_activations, describe_kinds, kinds_over_runs
from initsk.report._elements import Element, Paragraph, Picture, Section, Subsection
from initsk.report._tables import Column, Table, columns_of, records, spread
from initsk.text import brief

_MAX_LAYERS = 8


class _Moment(NamedTuple):
    """A moment of training: its name on the page, and its phase and epoch in the frames."""

    name: str
    phase: str
    epoch: int | None = None


def activations_section(shown: ComparisonResult, axes: str) -> Section | None:
    """Return a row of histograms for each initializer, with its findings, at every recorded moment."""
    title = _("Activations of the hidden layers")
    if signal_rows(shown.layers).empty:
        reasons = [reason for reason in shown.runs["no_layers"] if reason]
        if not reasons:
            return None
        text = _("No layers were measured: {reason}.", reason=brief(reasons[0]))
        return Section("activations", title, [Paragraph(text, "note")])
    names = signal_rows(shown.layers)["layer"]
    layers, histograms = (_some_layers(frame, names) for frame in (shown.layers, shown.histograms))
    grids = {
        moment: ActivationGridDisplay.from_frames(histograms, layers, phase=moment.phase, epoch=moment.epoch)
        for moment in _moments(shown.layers)
    }
    notes = [_how_drawn(shown, axes), _how_found(), describe_shared_numbers(shown)]
    elements: list[Element] = [Paragraph(note, "note") for note in notes if note]
    if names.nunique() > _MAX_LAYERS:
        text = _("{shown} of {all} layers are shown, evenly spaced.", shown=_MAX_LAYERS, all=names.nunique())
        elements.append(Paragraph(text, "note"))
    for place, label in enumerate(shown.initializers):
        pictures = []
        for number, (moment, grid) in enumerate(grids.items()):
            if label in grid.initializers:
                words = describe_activations(_rows_of(shown.layers, label, moment.phase, moment.epoch))
                description = f"{label}, {moment.name}: {words}"
                plot = partial(grid.plot, axes=axes, initializers=[label])
                key = f"activations-{place}-{number}"
                pictures.append(Picture(key, description, plot, "page", moment.name, grid.layers))
        if pictures:
            elements.append(_row(shown, label, pictures))
    text = message("Histograms of the activations, with one row per {one} and one column per layer, {when}.")
    whole = {moment: grid for moment, grid in grids.items() if moment.phase != "training"}
    elements += _whole_grids(shown, "activations", text, whole, axes)
    return Section("activations", title, elements, compared_in(shown.settings).column)


def _row(shown: ComparisonResult, label: str, pictures: list[Picture]) -> Subsection:
    """Return the row of one initializer, with the findings before and after training."""
    paragraphs, kinds = [], []
    seen: dict[str, str] = {}
    for phase, name in (("initialized", _("At initialization")), ("trained", _("After training"))):
        rows = _rows_of(shown.layers, label, phase)
        if len(rows):
            found, n_runs = kinds_over_runs(rows, _rows_of(shown.gradients, label, "initialized"))
            kinds += [kind for kind, n in found if 2 * n >= n_runs]
            seen |= {kind: describe_kinds([(kind, n)], n_runs) for kind, n in found}
            findings = describe_kinds(found, n_runs)
            paragraphs.append(Paragraph(f"{name}: {findings}. {describe_activations(rows)}"))
    usual = [_(kind) for kind in dict.fromkeys(kinds)]
    findings = ", ".join(usual or seen.values()) or _("healthy")
    number = shown.initializers.index(label)
    elements: list[Element] = [*paragraphs, *pictures]
    return Subsection(
        f"activations-of-{number}", label, elements, color_of(label, shown.initializers), findings, healthy=not seen
    )


def _moments(layers: pd.DataFrame) -> Iterator[_Moment]:
    """Yield the recorded moments in the order of the training."""
    phases = layers["phase"].astype(str)
    if (phases == "initialized").any():
        yield _Moment(_("at initialization"), "initialized")
    last = layers.loc[phases == "trained", "epoch"].max()
    for epoch in sorted(layers.loc[phases == "training", "epoch"].unique()):
        if epoch != last:
            yield _Moment(_("after epoch {n}", n=int(epoch)), "training", int(epoch))
    if (phases == "trained").any():
        yield _Moment(_("after training"), "trained")


def _how_drawn(shown: ComparisonResult, axes: str) -> str:
    text = message(
        "The histograms show the activations of the held-out samples. They pool all runs, except during training, where"
        " they show the first run of each {one}. Exact zeros are left out and written as a share."
    )
    scale = _("The axes are fixed to values from -1 to 1 and densities from 0 to 4; other values are not shown.")
    if axes == "shared":
        scale = _(
            "All rows share a logarithmic axis for the density. The range of a column holds 99.9 % of the values of"
            " every row. Rows with values beyond a million are not counted; a note gives their largest value."
        )
    return " ".join([_(text, **compared_in(shown.settings).words()), scale])


def _how_found() -> str:
    text = message(
        "A run has a finding if a value of a layer passes its threshold: dead, for example, if more than {dead:.0%} of"
        " the units of a layer are zero for every one of at least {n} samples. Healthy means that no run has a finding."
        " A heading names the findings of at least half of the runs, or how many runs have rarer ones. The sentences"
        " have means over the runs."
    )
    return _(text, dead=layer_thresholds({})["dead"].value, n=MIN_SAMPLES)


def weights_section(shown: ComparisonResult) -> Section | None:
    """Return histograms and norms of the weights, before and after training."""
    weights = shown.weights[shown.weights["parameter"] == "weight"]
    if weights.empty:
        return None
    layers, histograms = (_some_layers(frame, weights["layer"]) for frame in (shown.weights, shown.weight_histograms))
    moments = [moment for moment in _moments(weights) if moment.phase != "training"]
    grids = {moment: WeightGridDisplay.from_frames(histograms, layers, phase=moment.phase) for moment in moments}
    rows = records(_weight_rows(shown, weights))
    columns = [
        *columns_of("text", initializer=compared_in(shown.settings).column, layer=_("Layer")),
        *columns_of("short", std_initialized=_("Std at initialization"), std_trained=_("Std after training")),
        *columns_of("short", norm_initialized=_("Norm at initialization"), norm_trained=_("Norm after training")),
    ]
    colors = [color_of(row["initializer"], shown.initializers) for row in rows]
    title = _("Standard deviation and norm of the weights")
    elements: list[Element] = [Table("weights", title, columns, rows, colors)]
    for number, label in enumerate(shown.initializers):
        pictures: list[Element] = []
        for moment, grid in grids.items():
            if label in grid.initializers:
                text = message("Histograms of the weights of {name}, with one panel per layer, {when}.")
                description = _(text, name=label, when=moment.name)
                key, plot = f"weights-{len(elements)}-{moment.phase}", partial(grid.plot, initializers=[label])
                pictures.append(Picture(key, description, plot, "page", moment.name, grid.layers))
        if pictures:
            elements.append(Subsection(f"weights-of-{number}", label, pictures, color_of(label, shown.initializers)))
    text = message("Histograms of the weights, with one row per {one} and one column per layer, {when}.")
    elements += _whole_grids(shown, "weights", text, grids, "shared")
    return Section("weights", _("Weights"), elements, compared_in(shown.settings).column)


def _weight_rows(shown: ComparisonResult, weights: pd.DataFrame) -> pd.DataFrame:
    """Return the mean standard deviation and norm of each layer's weights, before and after training."""
    norms = weights.assign(norm=weights["rms"] * np.sqrt(weights["count"]))
    norms = norms.astype({"initializer": "str", "phase": "str"})
    means = norms.pivot_table(index=["initializer", "layer"], columns="phase", values=["std", "norm"])
    means.columns = pd.Index(["_".join(name) for name in means.columns.to_flat_index()])
    order = pd.MultiIndex.from_product([shown.initializers, dict.fromkeys(weights["layer"])])
    columns = ["std_initialized", "std_trained", "norm_initialized", "norm_trained"]
    table = means.reindex(index=order.set_names(["initializer", "layer"]), columns=columns)
    return table.dropna(subset="std_initialized").reset_index()


# Counts are added up, as displays take whole numbers only.
_MEASURES = {
    **dict.fromkeys(["rms", "predicted_rms", "zero_fraction", "dead_fraction", "saturated_fraction"], "mean"),
    "nonfinite": "sum",
}


def signal_section(shown: ComparisonResult) -> Section | None:
    """Return the measured and predicted size of signals and gradients along depth at initialization."""
    forward = dict(_means(shown, shown.layers))
    if not forward:
        return None
    backward = {label: frame for label, frame in _means(shown, shown.gradients) if label in forward}
    display = DepthDisplay.from_frames(forward, backward, order=shown.initializers)
    rows = [_signal_row(label, forward[label], backward.get(label)) for label in forward]
    columns = [
        Column("initializer", compared_in(shown.settings).column, "text"),
        *columns_of("short", last=_("RMS of the last hidden layer"), last_predicted=_("predicted")),
        Column("forward", _("Largest deviation, forward"), "share"),
        *columns_of("short", first=_("RMS of the gradient at the first hidden layer"), first_predicted=_("predicted")),
        Column("backward", _("Largest deviation, backward"), "share"),
    ]
    text = message("Root mean square of activations and gradients along depth, with one line for each {one}.")
    description = _(text, **compared_in(shown.settings).words())
    note = _(
        "Values are means over the runs. The forward prediction starts from the input (Poole et al. 2016, equation 3),"
        " the backward prediction from the gradient at the output (Schoenholz et al. 2017). Both hold for wide layers;"
        " in narrow layers, single draws scatter around them."
    )
    colors = [color_of(label, shown.initializers) for label in forward]
    picture = Picture("signal", description, display.plot)
    table = Table("signal", _("Measured and predicted values at initialization"), columns, rows, colors)
    elements: list[Element] = [Paragraph(_how_well(rows)), picture, table, Paragraph(note, "note")]
    return Section("signal", _("Signal along depth, at initialization"), elements)


def _means(shown: ComparisonResult, table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each initializer's means over the runs at initialization."""
    for label in shown.initializers:
        rows = _rows_of(table, label, "initialized")
        # A single layer has no depth.
        if len(signal_rows(rows)):
            yield label, rows.groupby(["layer", "position"], sort=False).agg(_MEASURES).reset_index()


def _signal_row(label: str, forward: pd.DataFrame, backward: pd.DataFrame | None) -> dict[str, Any]:
    body = signal_rows(forward)
    row = {"initializer": label, "last": body["rms"].iloc[-1], "last_predicted": body["predicted_rms"].iloc[-1]}
    row |= {"forward": _deviation(body), "first": np.nan, "first_predicted": np.nan, "backward": np.nan}
    if backward is None:
        return row
    back = signal_rows(backward)
    first = {"first": back["rms"].iloc[0], "first_predicted": back["predicted_rms"].iloc[0]}
    return row | first | {"backward": _deviation(back)}


def _deviation(frame: pd.DataFrame) -> float:
    """Return the largest relative deviation of the measured from the predicted values; NaN without a prediction."""
    at = frame[frame["predicted_rms"] > 0]
    return float((at["rms"] / at["predicted_rms"] - 1).abs().max()) if len(at) else np.nan


def _how_well(rows: list[dict[str, Any]]) -> str:
    """Return how far the measured values are from the predicted ones."""
    forward, backward = (pd.Series([row[name] for row in rows], dtype=float).max() for name in ("forward", "backward"))
    if np.isnan(forward):
        if all(row["last_predicted"] == 0 for row in rows):
            return _("Theory gives no ratio here: it predicts activations of zero, and no signal passes.")
        return _("Theory gives no prediction here: it does not cover an operation of the network.")
    text = message(
        "In the hidden layers, the measured values differ from the predicted ones by at most {forward:.0%} for"
        " activations and {backward:.0%} for gradients."
    )
    if np.isnan(backward):
        text = message(
            "In the hidden layers, the measured values differ from the predicted ones by at most {forward:.0%}."
        )
    return _(text, forward=forward, backward=backward)


def _rows_of(frame: pd.DataFrame, initializer: str, phase: str, epoch: int | None = None) -> pd.DataFrame:
    """Return the rows of one initializer at one moment."""
    at = (frame["initializer"].astype(str) == initializer) & (frame["phase"] == phase)
    return frame[at if epoch is None else at & (frame["epoch"] == epoch)]


def _some_layers(frame: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """Return the rows of at most `_MAX_LAYERS` layers, with the first and the last layer among them."""
    return frame[frame["layer"].isin(spread(list(dict.fromkeys(names)), _MAX_LAYERS))]


def _whole_grids(
    shown: ComparisonResult, key: str, text: str, grids: Mapping[_Moment, ActivationGridDisplay], axes: str
) -> Iterator[Picture]:
    """Yield the grids as files of their own; the page has their rows.

    The last grid that shows an initializer gets the plain name: the one after training, or the one at initialization
    if nothing was trained.
    """
    drawn = [moment for moment, grid in grids.items() if grid.initializers]
    for moment in drawn:
        name = key if moment == drawn[-1] else f"{key}_{moment.phase}"
        description = _(text, when=moment.name, **compared_in(shown.settings).words())
        yield Picture(name, description, partial(grids[moment].plot, axes=axes), "files")
