"""What the report of an inspection says: what is wrong, and the statistics of every layer."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from initsk.displays import SITE_NAMES, DepthDisplay, HistogramGridDisplay, LayerStripDisplay
from initsk.inspection import ActivationSummary, verdict_sentence
from initsk.report._blocks import Block, Column, Picture, Report, Section, Table, Words, records
from initsk.utils.language import Language, message

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# So many layers have a histogram each; more are drawn as strips.
_MOST_HISTOGRAMS = 20
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


def summarize_inspection(summary: ActivationSummary, say: Language, *, brief: bool = False) -> Report:
    """Return the report of one network."""
    verdicts = summary.verdicts(language=say.code)
    sections = [Section("answer", say("Answer"), [Words(verdict_sentence(verdicts, say.code), "answer")])]
    sections.append(verdicts_section(verdicts, say))
    if not brief:
        sections += inspection_details(summary, say)
    title = say.plural("A network of one layer", "A network of {n} layers", len(summary.layers))
    return Report("inspection", title, say, sections)


def verdicts_section(verdicts: pd.DataFrame, say: Language) -> Section:
    """Return what is wrong, a row per finding."""
    columns = [
        Column("layer", say("Layer"), "text"),
        Column("verdict", say("Verdict"), "text"),
        Column("value", say("Value"), "short"),
        Column("threshold", say("Threshold"), "short"),
        Column("evidence", say("Evidence"), "words"),
        Column("advice", say("Advice"), "words"),
    ]
    rows = [
        row | {"verdict": say(row["verdict"]), "layer": row["layer"] or say("all layers")} for row in records(verdicts)
    ]
    return Section("verdicts", say("Verdicts"), [Table("verdicts", say("Findings, the gravest first"), columns, rows)])


def inspection_details(summary: ActivationSummary, say: Language) -> list[Section]:
    """Return pictures and tables of activations, gradients and weights."""
    values, gradients, weights = (summary.to_frame(of) for of in ("activations", "gradients", "weights"))
    sections = [
        Section(
            "activations",
            say("Activations"),
            [
                *_pictures("activations", summary, say),
                _statistics("layers", say("Activations, in the order of the forward pass"), values, say),
            ],
        ),
        Section("depth", say("Signal along depth"), [_depth(values, gradients, say)]),
    ]
    if len(gradients):
        table = _statistics("gradients", say("Gradients of each sample's loss"), gradients, say)
        sections.append(Section("gradients", say("Gradients"), [*_pictures("gradients", summary, say), table]))
    parameters = summary.parameters()
    if len(weights) or len(parameters):
        blocks: list[Block] = [] if weights.empty else [*_pictures("weights", summary, say), _weights(weights, say)]
        if len(parameters):
            blocks.append(_parameters(parameters, say))
        sections.append(Section("weights", say("Weights"), blocks))
    return sections


def _pictures(of: str, summary: ActivationSummary, say: Language) -> list[Block]:
    """Return the histograms of all layers, in which there is anything to see."""
    frame, bins = summary.to_frame(of), summary.histograms(of)
    if of == "weights":
        # Biases are often constant; of a layer's weights each is a panel of its own.
        frame, bins = (
            part[part["site"] != "bias"].assign(layer=lambda rows: rows["layer"] + "." + rows["site"], site="weight")
            for part in (frame, bins)
        )
    if bins.empty or frame.empty:
        return []
    descriptions = {
        "activations": message("Histograms of the values of every layer; the table has their moments."),
        "gradients": message("Histograms of the gradients of every layer; the table has their moments."),
        "weights": message("Histograms of the weights of every layer; the table has their norms."),
    }
    return [Picture(f"{of}_histograms", say(descriptions[of]), partial(_draw, bins, frame, say))]


def _draw(bins: pd.DataFrame, frame: pd.DataFrame, say: Language) -> "Figure":
    if frame["layer"].nunique() > _MOST_HISTOGRAMS:
        # A layer's values after its activation function; weights have one site anyhow.
        site = "both" if (frame["site"] == "weight").all() else "activation"
        return LayerStripDisplay.from_frames(bins, frame).plot(site=site, language=say.code).figure_
    return HistogramGridDisplay.from_frames(bins, frame).plot(language=say.code).figure_


def _depth(values: pd.DataFrame, gradients: pd.DataFrame, say: Language) -> Picture:
    display = DepthDisplay.from_frames(values, gradients if len(gradients) else None)
    said = say("Root mean square along depth, and the shares of zero, dead and saturated; the table has the numbers.")
    site = "activation" if (values["site"] == "activation").any() else "pre_activation"
    return Picture("depth", said, lambda: display.plot(site=site, language=say.code).figure_)


def _statistics(key: str, title: str, frame: pd.DataFrame, say: Language) -> Table:
    shown = [name for name in _COLUMNS if frame[name].notna().any()]
    shares = ("zero_fraction", "dead_fraction", "saturated_fraction")
    columns = [
        Column("layer", say("Layer"), "text"),
        Column("place", say("Place"), "text"),
        Column("units", say("Units"), "integer"),
        *(Column(name, say(_COLUMNS[name]), "share" if name in shares else "short") for name in shown),
        Column("nonfinite", say("Not finite"), "integer"),
    ]
    rows = [row | {"place": say(SITE_NAMES.get(row["site"], row["site"]))} for row in records(frame)]
    return Table(key, title, columns, rows)


def _weights(weights: pd.DataFrame, say: Language) -> Table:
    columns = [
        Column("layer", say("Layer"), "text"),
        Column("site", say("Parameter"), "text"),
        Column("module", say("Kind"), "text"),
        Column("count", say("Values"), "integer"),
        Column("mean", say("Mean"), "short"),
        Column("std", say("Std"), "short"),
        Column("norm", say("Norm"), "short"),
        Column("zero_fraction", say("Zeros"), "share"),
    ]
    norms = weights.assign(norm=weights["rms"] * np.sqrt(weights["count"]))
    return Table("weights", say("Weights and biases"), columns, records(norms))


def _parameters(parameters: pd.DataFrame, say: Language) -> Table:
    columns = [
        Column("name", say("Parameter"), "text"),
        Column("weight_norm", say("Norm"), "short"),
        Column("gradient_norm", say("Norm of the gradient"), "short"),
        Column("gradient_to_weight", say("Gradient to weight"), "short"),
        Column("update_to_weight", say("Update to weight"), "short"),
    ]
    return Table("parameters", say("What a step changes"), columns, records(parameters))
