"""The reports of a diagnosis and of a recommendation."""

from typing import Any

import pandas as pd

from initsk.diagnosis import Advice, Diagnosis, Recommendation, by_initializer
from initsk.displays import PhaseDiagramDisplay
from initsk.exceptions import InvalidParameterError
from initsk.language import Language, message
from initsk.report._elements import Column, Detail, Details, Paragraph, Picture, Report, Section, Table, records
from initsk.report._findings_text import KIND_NAMES, answer_of_diagnosis, with_sentences
from initsk.report._inspection import findings_section, inspection_details


def summarize_diagnosis(diagnosis: Diagnosis, translate: Language, *, brief: bool = False) -> Report:
    """Return the report: the answer, what was found, what would suit, and the layers."""
    sections = [
        Section(
            "answer",
            translate("Answer"),
            [Paragraph(answer_of_diagnosis(diagnosis, translate), "answer"), Details(_details(diagnosis, translate))],
        ),
        findings_section(with_sentences(diagnosis.findings(), translate, diagnosis.depth), translate),
        _health(diagnosis, translate),
    ]
    if diagnosis.recommendation is not None:
        sections.append(_recommended(diagnosis.recommendation, translate))
    if not brief:
        sections += [*_phase(diagnosis, translate), *inspection_details(diagnosis.inspection, translate)]
    return Report("diagnosis", translate("Before training: a diagnosis"), translate, sections)


def _details(diagnosis: Diagnosis, translate: Language) -> list[Detail]:
    kinds = {"gradient": translate("steps along the gradient"), "adaptive": translate("adaptive, such as Adam")}
    details = [
        Detail(translate("Score"), translate.number(diagnosis.score, 2)),
        Detail(translate("Score with the recommended initializers"), translate.number(diagnosis.recommended_score, 2)),
        Detail(translate("Optimizer"), kinds[diagnosis.optimizer]),
        Detail(translate("Loss at the start"), translate.short(diagnosis.loss)),
        Detail(translate("Baseline loss"), translate.short(diagnosis.baseline_loss)),
    ]
    if diagnosis.depth is not None:
        details.append(
            Detail(translate("Depth relative to the depth that theory allows"), translate.short(diagnosis.depth.share))
        )
    return details


def _health(diagnosis: Diagnosis, translate: Language) -> Section:
    columns = [
        Column("kind", translate("Kind"), "text"),
        Column("value", translate("Value"), "short"),
        Column("threshold", translate("Threshold"), "short"),
        Column("health", translate("Health"), "number"),
        Column("recommended_value", translate("Value, recommended"), "short"),
        Column("recommended_health", translate("Health, recommended"), "number"),
    ]
    rows = [row | {"kind": translate(KIND_NAMES[row["kind"]])} for row in records(diagnosis.health())]
    title = translate(
        "Values of the worst layer, now and with the recommended initializers; the threshold has a health of 0.5"
    )
    return Section("health", translate("What decides"), [Table("health", title, columns, rows)])


def _phase(diagnosis: Diagnosis, translate: Language) -> list[Section]:
    """Return where the network lies between order and chaos, if theory has a prediction for it."""
    depth = diagnosis.depth
    try:
        display = PhaseDiagramDisplay.from_diagnosis(diagnosis, label=translate("this network"))
    except InvalidParameterError:
        return []
    assert depth is not None
    text = message("By theory samples can be told apart through {reach} layers of this kind; there are {depth}.")
    if depth.reach == float("inf"):
        text = message(
            "By theory samples can be told apart through any number of layers of this kind; there are {depth}."
        )
    words = translate(text, reach=translate.integer(depth.reach), depth=translate.integer(depth.depth))
    said = translate("Depth scale over the variances of weights and biases, with the critical line and this network.")
    picture = Picture("phase", said, lambda: display.plot(language=translate.code).figure_)
    return [Section("phase", translate("Between order and chaos"), [Paragraph(words), picture])]


def summarize_recommendation(recommendation: Recommendation, translate: Language, *, brief: bool = False) -> Report:
    """Return the report: what suits each layer, and why; it is as brief as it is."""
    details = [Detail(name, ", ".join(names)) for name, names in by_initializer(recommendation.rows).items()]
    said = translate('In code, initializer="auto" does what is said here.')
    sections = [
        Section("answer", translate("Answer"), [Details(details), Paragraph(said, "note")]),
        _recommended(recommendation, translate),
    ]
    if recommendation.measured is not None:
        sections.append(_measured(recommendation.measured, translate))
    return Report("recommendation", translate("Recommended initializers"), translate, sections)


def _recommended(recommendation: Recommendation, translate: Language) -> Section:
    columns = [
        Column("name", translate("Parameters"), "text"),
        Column("shape", translate("Shape"), "text"),
        Column("initializer", translate("Initializer"), "code"),
        Column("why", translate("Why"), "sentence"),
        Column("variance", translate("Variance"), "short"),
        Column("reference", translate("Reference"), "sentence"),
        Column("common_practice", translate("What is usually done"), "sentence"),
    ]
    # Layers of which the same is said are one row.
    groups: dict[str, list[Advice]] = {}
    for row in recommendation.rows:
        groups.setdefault(repr(row[1:]), []).append(row)
    rows: list[dict[str, Any]] = []
    for same in groups.values():
        said = {"why": translate.again(same[0].why), "common_practice": translate.again(same[0].common_practice)}
        rows.append(same[0]._asdict() | said | {"name": _names([row.name for row in same])})
    table = Table("recommended", translate("What suits each parameter"), columns, rows)
    return Section("recommendation", translate("Recommended, layer by layer"), [table])


def _names(names: list[str]) -> str:
    """Return names, of many the first and the last and how many there are."""
    return ", ".join(names) if len(names) < 3 else f"{names[0]} … {names[-1]} ({len(names)})"


def _measured(measured: pd.DataFrame, translate: Language) -> Section:
    columns = [
        Column("initializer", translate("Initializer"), "text"),
        Column("score", translate("Score"), "number"),
        Column("weakest", translate("Weakest in"), "text"),
        Column("gradient_size", translate("Size of the gradient"), "short"),
        Column("agreement", translate("Agreement of halves"), "number"),
        Column("loss", translate("Loss at the start"), "short"),
    ]
    rows = [row | {"weakest": translate(KIND_NAMES[row["weakest"]])} for row in records(measured)]
    title = translate("Measured on some samples, before training")
    return Section("measured", translate("Measured"), [Table("measured", title, columns, rows)])
