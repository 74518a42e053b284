"""The report of an inspection: the findings, and the statistics of every layer."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from initsk.displays import POSITION_NAMES, DepthDisplay, HistogramGridDisplay, LayerStripDisplay
from initsk.inspection import ActivationSummary
from initsk.language import message, plural, translate as _
from initsk.report._answers import answer_of_inspection
from initsk.report._elements import Element, Paragraph, Picture, Report, Section
from initsk.report._findings_text import in_groups, with_sentences
from initsk.report._run import run_sections
from initsk.report._tables import Column, Table, columns_of, records, spread

# With more layers, strips replace the histograms.
_MAX_HISTOGRAMS = 20
# A longer picture is no longer read, and takes minutes.
_MAX_STRIPS = 200
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
    findings = with_sentences(summary.findings())
    sections = [
        Section("answer", _("Answer"), [Paragraph(answer_of_inspection(summary, findings), "answer")]),
        findings_section(findings),
    ]
    if not brief:
        sections += [*inspection_details(summary), *run_sections(summary.settings)]
    title = plural("Network with one layer", "Network with {n} layers", len(summary.layers))
    return Report("inspection", title, sections)


def findings_section(findings: pd.DataFrame) -> Section:
    """Return a table with a row per finding, or a sentence if there is none."""
    if findings.empty:
        return Section("findings", _("Findings"), [Paragraph(_("There are no findings."), "note")])
    columns = [
        *columns_of("text", layer=_("Layer"), kind=_("Kind"), decides=_("Prevents training")),
        *columns_of("short", value=_("Value"), threshold=_("Threshold")),
        *columns_of("sentence", evidence=_("Evidence"), advice=_("Advice")),
    ]
    prevents = {True: _("yes"), False: _("no")}
    rows = records(in_groups(findings))
    for row in rows:
        row["layer"] = row["layer"] or _("all layers")
        if row["n_layers"] > 1:
            row["layer"] = _("{first} to {last} ({n})", first=row["first"], last=row["last"], n=row["n_layers"])
        row |= {"kind": _(row["kind"]), "decides": prevents[bool(row["decides"])]}
    title = _("Findings, most severe first")
    return Section("findings", _("Findings"), [Table("findings", title, columns, rows)])


def inspection_details(summary: ActivationSummary) -> list[Section]:
    """Return pictures and tables of activations, gradients and weights."""
    values, gradients, weights = (summary.to_frame(of) for of in ("activations", "gradients", "weights"))
    activations = _statistics("layers", _("Activations, in the order of the forward pass"), values)
    elements = [*_pictures("activations", summary), activations]
    sections = []
    if len(values):
        sections.append(Section("activations", _("Activations"), elements))
        sections.append(Section("depth", _("Signal along depth"), [_depth(values, gradients)]))
    if len(gradients):
        table = _statistics("gradients", _("Gradients of the loss of each sample"), gradients)
        sections.append(Section("gradients", _("Gradients"), [*_pictures("gradients", summary), table]))
    elements = [*_pictures("weights", summary), _weights(weights)] if len(weights) else []
    parameters = summary.parameters()
    if len(parameters):
        elements.append(_parameters(parameters))
    if elements:
        sections.append(Section("weights", _("Weights"), elements))
    return sections


def _pictures(of: str, summary: ActivationSummary) -> list[Element]:
    """Return a picture with the histogram of every layer, or nothing if no values were recorded."""
    frame, bins = summary.to_frame(of), summary.histograms(of)
    if of == "weights":
        # Biases are often constant. Each weight of a layer has a panel of its own.
        parts = [part[part["parameter"] != "bias"] for part in (frame, bins)]
        names = [part["layer"] + "." + part["parameter"] for part in parts]
        frame, bins = (part.assign(layer=name, position="weight") for part, name in zip(parts, names, strict=True))
    if frame.empty:
        return []
    descriptions = {
        "activations": message("Histograms of the activations of every layer. The table has their statistics."),
        "gradients": message("Histograms of the gradients of every layer. The table has their statistics."),
        "weights": message("Histograms of the weights of every layer. The table has their norms."),
    }
    names = list(dict.fromkeys(frame["layer"]))
    shown = spread(names, _MAX_STRIPS)
    frame, bins = (part[part["layer"].isin(shown)] for part in (frame, bins))
    picture = Picture(f"{of}_histograms", _(descriptions[of]), partial(_plot, bins, frame))
    if len(shown) == len(names):
        return [picture]
    text = _("{shown} of {all} layers are shown, evenly spaced.", shown=len(shown), all=len(names))
    return [Paragraph(text, "note"), picture]


def _plot(bins: pd.DataFrame, frame: pd.DataFrame, language: str) -> Any:
    """Draw the histograms, as strips if there are many layers, and return the Display."""
    if frame["layer"].nunique() > _MAX_HISTOGRAMS:
        # Activations are shown after the activation function. Weights have only one position.
        position = "both" if (frame["position"] == "weight").all() else "activation"
        return LayerStripDisplay.from_frames(bins, frame).plot(position=position, language=language)
    return HistogramGridDisplay.from_frames(bins, frame).plot(language=language)


def _depth(values: pd.DataFrame, gradients: pd.DataFrame) -> Picture:
    display = DepthDisplay.from_frames(values, gradients if len(gradients) else None)
    description = _(
        "Root mean square along depth, and the shares of zeros, dead units and saturated values. The table has the"
        " numbers."
    )
    position = "activation" if (values["position"] == "activation").any() else "pre_activation"
    return Picture("depth", description, partial(display.plot, position=position))


def _statistics(key: str, title: str, frame: pd.DataFrame) -> Table:
    shown = [name for name in _COLUMNS if frame[name].notna().any()]
    shares = ("zero_fraction", "dead_fraction", "saturated_fraction")
    columns = [
        *columns_of("text", layer=_("Layer"), position=_("Position")),
        Column("units", _("Units"), "integer"),
        *(Column(name, _(_COLUMNS[name]), "share" if name in shares else "short") for name in shown),
        Column("nonfinite", _("Non-finite"), "integer"),
    ]
    rows = [row | {"position": _(POSITION_NAMES.get(row["position"], row["position"]))} for row in records(frame)]
    return Table(key, title, columns, rows)


def _weights(weights: pd.DataFrame) -> Table:
    columns = [
        *columns_of("text", layer=_("Layer"), parameter=_("Parameter"), module=_("Type")),
        Column("count", _("Values"), "integer"),
        *columns_of("short", mean=_("Mean"), std=_("Std"), norm=_("Norm")),
        Column("zero_fraction", _("Zeros"), "share"),
    ]
    norms = weights.assign(norm=weights["rms"] * np.sqrt(weights["count"]))
    return Table("weights", _("Weights and biases"), columns, records(norms))


def _parameters(parameters: pd.DataFrame) -> Table:
    columns = [
        Column("name", _("Parameter"), "text"),
        *columns_of("short", weight_norm=_("Norm"), gradient_norm=_("Gradient norm")),
        *columns_of("short", gradient_to_weight=_("Gradient / weight"), update_to_weight=_("Update / weight")),
    ]
    return Table("parameters", _("Norms of parameters, gradients and updates"), columns, records(parameters))
