"""What the report of an inspection says: what is wrong, and the statistics of every layer."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from initsk.displays import POSITION_NAMES, DepthDisplay, HistogramGridDisplay, LayerStripDisplay
from initsk.inspection import ActivationSummary
from initsk.language import Language, message
from initsk.report._elements import Column, Element, Paragraph, Picture, Report, Section, Table, records
from initsk.report._findings_text import KIND_NAMES, answer_of_inspection, with_sentences

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# So many layers have a histogram each; more are drawn as strips.
_MAX_HISTOGRAMS = 20
_COLUMNS = {
    "mean": message("Mean"),
    "std": message("Std"),
    "rms": message("RMS"),
    "min": message("Least"),
    "max": message("Greatest"),
    "zero_fraction": message("Zeros"),
    "dead_fraction": message("Dead units"),
    "saturated_fraction": message("Saturated"),
    "effective_rank": message("Effective rank"),
    "mean_cosine": message("Mean cosine"),
}


def summarize_inspection(summary: ActivationSummary, translate: Language, *, brief: bool = False) -> Report:
    """Return the report of one network."""
    sections = [
        Section("answer", translate("Answer"), [Paragraph(answer_of_inspection(summary, translate), "answer")]),
        findings_section(with_sentences(summary.findings(), translate), translate),
    ]
    if not brief:
        sections += inspection_details(summary, translate)
    title = translate.plural("A network of one layer", "A network of {n} layers", len(summary.layers))
    return Report("inspection", title, translate, sections)


def findings_section(findings: pd.DataFrame, translate: Language) -> Section:
    """Return a table with a row per finding, or a sentence if there is none."""
    if findings.empty:
        return Section("findings", translate("Findings"), [Paragraph(translate("Nothing was found."), "note")])
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
    title = translate("Findings, the gravest first")
    return Section("findings", translate("Findings"), [Table("findings", title, columns, rows)])


def inspection_details(summary: ActivationSummary, translate: Language) -> list[Section]:
    """Return pictures and tables of activations, gradients and weights."""
    values, gradients, weights = (summary.to_frame(of) for of in ("activations", "gradients", "weights"))
    sections = [
        Section(
            "activations",
            translate("Activations"),
            [
                *_pictures("activations", summary, translate),
                _statistics("layers", translate("Activations, in the order of the forward pass"), values, translate),
            ],
        ),
        Section("depth", translate("Signal along depth"), [_depth(values, gradients, translate)]),
    ]
    if len(gradients):
        table = _statistics("gradients", translate("Gradients of each sample's loss"), gradients, translate)
        sections.append(
            Section("gradients", translate("Gradients"), [*_pictures("gradients", summary, translate), table])
        )
    parameters = summary.parameters()
    if len(weights) or len(parameters):
        elements: list[Element] = (
            [] if weights.empty else [*_pictures("weights", summary, translate), _weights(weights, translate)]
        )
        if len(parameters):
            elements.append(_parameters(parameters, translate))
        sections.append(Section("weights", translate("Weights"), elements))
    return sections


def _pictures(of: str, summary: ActivationSummary, translate: Language) -> list[Element]:
    """Return the histograms of all layers, in which there is anything to see."""
    frame, bins = summary.to_frame(of), summary.histograms(of)
    if of == "weights":
        # Biases are often constant; of a layer's weights each is a panel of its own.
        frame, bins = (
            part[part["parameter"] != "bias"].assign(
                layer=lambda rows: rows["layer"] + "." + rows["parameter"], position="weight"
            )
            for part in (frame, bins)
        )
    if bins.empty or frame.empty:
        return []
    descriptions = {
        "activations": message("Histograms of the values of every layer; the table has their moments."),
        "gradients": message("Histograms of the gradients of every layer; the table has their moments."),
        "weights": message("Histograms of the weights of every layer; the table has their norms."),
    }
    return [Picture(f"{of}_histograms", translate(descriptions[of]), partial(_draw, bins, frame, translate))]


def _draw(bins: pd.DataFrame, frame: pd.DataFrame, translate: Language) -> "Figure":
    if frame["layer"].nunique() > _MAX_HISTOGRAMS:
        # A layer's values after its activation function; weights have one position anyhow.
        position = "both" if (frame["position"] == "weight").all() else "activation"
        return LayerStripDisplay.from_frames(bins, frame).plot(position=position, language=translate.code).figure_
    return HistogramGridDisplay.from_frames(bins, frame).plot(language=translate.code).figure_


def _depth(values: pd.DataFrame, gradients: pd.DataFrame, translate: Language) -> Picture:
    display = DepthDisplay.from_frames(values, gradients if len(gradients) else None)
    said = translate(
        "Root mean square along depth, and the shares of zero, dead and saturated; the table has the numbers."
    )
    position = "activation" if (values["position"] == "activation").any() else "pre_activation"
    return Picture("depth", said, lambda: display.plot(position=position, language=translate.code).figure_)


def _statistics(key: str, title: str, frame: pd.DataFrame, translate: Language) -> Table:
    shown = [name for name in _COLUMNS if frame[name].notna().any()]
    shares = ("zero_fraction", "dead_fraction", "saturated_fraction")
    columns = [
        Column("layer", translate("Layer"), "text"),
        Column("place", translate("Place"), "text"),
        Column("units", translate("Units"), "integer"),
        *(Column(name, translate(_COLUMNS[name]), "share" if name in shares else "short") for name in shown),
        Column("nonfinite", translate("Not finite"), "integer"),
    ]
    rows = [row | {"place": translate(POSITION_NAMES.get(row["position"], row["position"]))} for row in records(frame)]
    return Table(key, title, columns, rows)


def _weights(weights: pd.DataFrame, translate: Language) -> Table:
    columns = [
        Column("layer", translate("Layer"), "text"),
        Column("parameter", translate("Parameter"), "text"),
        Column("module", translate("Kind"), "text"),
        Column("count", translate("Values"), "integer"),
        Column("mean", translate("Mean"), "short"),
        Column("std", translate("Std"), "short"),
        Column("norm", translate("Norm"), "short"),
        Column("zero_fraction", translate("Zeros"), "share"),
    ]
    norms = weights.assign(norm=weights["rms"] * np.sqrt(weights["count"]))
    return Table("weights", translate("Weights and biases"), columns, records(norms))


def _parameters(parameters: pd.DataFrame, translate: Language) -> Table:
    columns = [
        Column("name", translate("Parameter"), "text"),
        Column("weight_norm", translate("Norm"), "short"),
        Column("gradient_norm", translate("Norm of the gradient"), "short"),
        Column("gradient_to_weight", translate("Gradient to weight"), "short"),
        Column("update_to_weight", translate("Update to weight"), "short"),
    ]
    return Table("parameters", translate("What a step changes"), columns, records(parameters))
