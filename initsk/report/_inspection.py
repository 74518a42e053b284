"""The report of an inspection: the findings, and the statistics of every layer."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from initsk.displays import POSITION_NAMES, DepthDisplay, HistogramGridDisplay, LayerStripDisplay
from initsk.inspection import ActivationSummary
from initsk.language import message, plural, translate
from initsk.report._elements import Column, Element, Paragraph, Picture, Report, Section, Table, records
from initsk.report._findings_text import KIND_NAMES, answer_of_inspection, with_sentences

# With more layers, strips replace the histograms.
_MAX_HISTOGRAMS = 20
_COLUMNS = {
    "mean": message("Mean"),
    "std": message("Std"),
    "rms": message("RMS"),
    "min": message("Minimum"),
    "max": message("Maximum"),
    "zero_fraction": message("Zeros"),
    "dead_fraction": message("Dead units"),
    "saturated_fraction": message("Saturated"),
    "effective_rank": message("Effective rank"),
    "mean_cosine": message("Mean cosine"),
}


def summarize_inspection(summary: ActivationSummary, *, brief: bool = False) -> Report:
    """Return the report of one network."""
    sections = [
        Section("answer", translate("Answer"), [Paragraph(answer_of_inspection(summary), "answer")]),
        findings_section(with_sentences(summary.findings())),
    ]
    if not brief:
        sections += inspection_details(summary)
    title = plural("Network with one layer", "Network with {n} layers", len(summary.layers))
    return Report("inspection", title, sections)


def findings_section(findings: pd.DataFrame) -> Section:
    """Return a table with a row per finding, or a sentence if there is none."""
    if findings.empty:
        return Section("findings", translate("Findings"), [Paragraph(translate("There are no findings."), "note")])
    columns = [
        Column("layer", translate("Layer"), "text"),
        Column("kind", translate("Kind"), "text"),
        Column("decides", translate("Effect"), "text"),
        Column("value", translate("Value"), "short"),
        Column("threshold", translate("Threshold"), "short"),
        Column("evidence", translate("Evidence"), "sentence"),
        Column("advice", translate("Advice"), "sentence"),
    ]
    effects = {True: translate("prevents training"), False: translate("to be noted")}
    rows = [
        row
        | {
            "kind": translate(KIND_NAMES[row["kind"]]),
            "layer": row["layer"] or translate("all layers"),
            "decides": effects[bool(row["decides"])],
        }
        for row in records(findings)
    ]
    title = translate("Findings, most severe first")
    return Section("findings", translate("Findings"), [Table("findings", title, columns, rows)])


def inspection_details(summary: ActivationSummary) -> list[Section]:
    """Return pictures and tables of activations, gradients and weights."""
    values, gradients, weights = (summary.to_frame(of) for of in ("activations", "gradients", "weights"))
    activations = _statistics("layers", translate("Activations, in the order of the forward pass"), values)
    elements = [*_pictures("activations", summary), activations]
    sections = [
        Section("activations", translate("Activations"), elements),
        Section("depth", translate("Signal along depth"), [_depth(values, gradients)]),
    ]
    if len(gradients):
        table = _statistics("gradients", translate("Gradients of the loss of each sample"), gradients)
        sections.append(Section("gradients", translate("Gradients"), [*_pictures("gradients", summary), table]))
    elements = [*_pictures("weights", summary), _weights(weights)] if len(weights) else []
    parameters = summary.parameters()
    if len(parameters):
        elements.append(_parameters(parameters))
    if elements:
        sections.append(Section("weights", translate("Weights"), elements))
    return sections


def _pictures(of: str, summary: ActivationSummary) -> list[Element]:
    """Return a picture with the histogram of every layer, or nothing if no values were recorded."""
    frame, bins = summary.to_frame(of), summary.histograms(of)
    if of == "weights":
        # Biases are often constant. Each weight of a layer has a panel of its own.
        frame, bins = (
            part[part["parameter"] != "bias"].assign(
                layer=lambda rows: rows["layer"] + "." + rows["parameter"], position="weight"
            )
            for part in (frame, bins)
        )
    if bins.empty or frame.empty:
        return []
    descriptions = {
        "activations": message("Histograms of the activations of every layer. The table has their statistics."),
        "gradients": message("Histograms of the gradients of every layer. The table has their statistics."),
        "weights": message("Histograms of the weights of every layer. The table has their norms."),
    }
    return [Picture(f"{of}_histograms", translate(descriptions[of]), partial(_plot, bins, frame))]


def _plot(bins: pd.DataFrame, frame: pd.DataFrame, language: str) -> Any:
    """Draw the histograms, as strips if there are many layers, and return the Display."""
    if frame["layer"].nunique() > _MAX_HISTOGRAMS:
        # Activations are shown after the activation function. Weights have only one position.
        position = "both" if (frame["position"] == "weight").all() else "activation"
        return LayerStripDisplay.from_frames(bins, frame).plot(position=position, language=language)
    return HistogramGridDisplay.from_frames(bins, frame).plot(language=language)


def _depth(values: pd.DataFrame, gradients: pd.DataFrame) -> Picture:
    display = DepthDisplay.from_frames(values, gradients if len(gradients) else None)
    description = translate(
        "Root mean square along depth, and the shares of zeros, dead units and saturated values. The table has the"
        " numbers."
    )
    position = "activation" if (values["position"] == "activation").any() else "pre_activation"
    return Picture("depth", description, partial(display.plot, position=position))


def _statistics(key: str, title: str, frame: pd.DataFrame) -> Table:
    shown = [name for name in _COLUMNS if frame[name].notna().any()]
    shares = ("zero_fraction", "dead_fraction", "saturated_fraction")
    columns = [
        Column("layer", translate("Layer"), "text"),
        Column("position", translate("Position"), "text"),
        Column("units", translate("Units"), "integer"),
        *(Column(name, translate(_COLUMNS[name]), "share" if name in shares else "short") for name in shown),
        Column("nonfinite", translate("Non-finite"), "integer"),
    ]
    rows = [
        row | {"position": translate(POSITION_NAMES.get(row["position"], row["position"]))} for row in records(frame)
    ]
    return Table(key, title, columns, rows)


def _weights(weights: pd.DataFrame) -> Table:
    columns = [
        Column("layer", translate("Layer"), "text"),
        Column("parameter", translate("Parameter"), "text"),
        Column("module", translate("Type"), "text"),
        Column("count", translate("Values"), "integer"),
        Column("mean", translate("Mean"), "short"),
        Column("std", translate("Std"), "short"),
        Column("norm", translate("Norm"), "short"),
        Column("zero_fraction", translate("Zeros"), "share"),
    ]
    norms = weights.assign(norm=weights["rms"] * np.sqrt(weights["count"]))
    return Table("weights", translate("Weights and biases"), columns, records(norms))


def _parameters(parameters: pd.DataFrame) -> Table:
    columns = [
        Column("name", translate("Parameter"), "text"),
        Column("weight_norm", translate("Norm"), "short"),
        Column("gradient_norm", translate("Gradient norm"), "short"),
        Column("gradient_to_weight", translate("Gradient / weight"), "short"),
        Column("update_to_weight", translate("Update / weight"), "short"),
    ]
    return Table("parameters", translate("Norms of parameters, gradients and updates"), columns, records(parameters))
