"""What the reports of a diagnosis and of a recommendation say."""

from typing import Any

import pandas as pd

from initsk.advice import Diagnosis, Recommendation, by_initializer, findings_of
from initsk.report._blocks import Column, Fact, Facts, Report, Section, Table, Words, records
from initsk.report._inspection import inspection_details
from initsk.utils._language import Language


def summarize_diagnosis(diagnosis: Diagnosis, say: Language, *, brief: bool = False) -> Report:
    """Return the report: the answer, what was found, what would suit, and the layers."""
    sections = [
        Section(
            "answer", say("Answer"), [Words(diagnosis.sentence(say.code), "answer"), Facts(_facts(diagnosis, say))]
        ),
        _findings(diagnosis, say),
    ]
    if diagnosis.recommendation is not None:
        sections.append(_recommended(diagnosis.recommendation, say))
    if not brief:
        sections += inspection_details(diagnosis.summary, say)
    return Report("diagnosis", say("Before training: a diagnosis"), say, sections)


def _facts(diagnosis: Diagnosis, say: Language) -> list[Fact]:
    kinds = {"gradient": say("steps along the gradient"), "adaptive": say("adaptive, such as Adam")}
    facts = [
        Fact(say("Score"), say.number(diagnosis.score, 2)),
        Fact(say("Score with the recommended initializers"), say.number(diagnosis.recommended_score, 2)),
        Fact(say("Optimizer"), kinds[diagnosis.optimizer]),
        Fact(say("Loss at the start"), say.short(diagnosis.loss)),
        Fact(say("Loss of guessing"), say.short(diagnosis.chance)),
    ]
    if diagnosis.depth is not None:
        facts.append(Fact(say("Depth as a share of what theory allows"), say.short(diagnosis.depth.share)))
    return facts


def _findings(diagnosis: Diagnosis, say: Language) -> Section:
    found = findings_of(diagnosis.vitals, diagnosis.optimizer, say.code)
    title = say("Findings, the gravest first")
    if found.empty:
        return Section("findings", say("Findings"), [Words(say("Nothing was found."), "note")])
    columns = [
        Column("layer", say("Layer"), "text"),
        Column("verdict", say("Verdict"), "text"),
        Column("decides", say("Kind"), "text"),
        Column("number", say("Number"), "short"),
        Column("threshold", say("Threshold"), "short"),
        Column("evidence", say("Evidence"), "words"),
        Column("fix", say("What to do"), "words"),
    ]
    weights = {True: say("decides"), False: say("to be noted")}
    rows = [
        row
        | {
            "verdict": say(row["verdict"]),
            "layer": row["layer"] or say("all layers"),
            "decides": weights[bool(row["decides"])],
        }
        for row in records(found)
    ]
    return Section("findings", say("Findings"), [Table("findings", title, columns, rows)])


def summarize_recommendation(recommendation: Recommendation, say: Language, *, brief: bool = False) -> Report:
    """Return the report: what suits each layer, and why; it is as brief as it is."""
    facts = [Fact(name, ", ".join(names)) for name, names in by_initializer(recommendation.rows).items()]
    said = say('In code, initializer="auto" does what is said here.')
    sections = [
        Section("answer", say("Answer"), [Facts(facts), Words(said, "note")]),
        _recommended(recommendation, say),
    ]
    if recommendation.measured is not None:
        sections.append(_measured(recommendation.measured, say))
    return Report("recommendation", say("Recommended initializers"), say, sections)


def _recommended(recommendation: Recommendation, say: Language) -> Section:
    columns = [
        Column("name", say("Parameter"), "text"),
        Column("shape", say("Shape"), "text"),
        Column("initializer", say("Initializer"), "code"),
        Column("why", say("Why"), "words"),
        Column("variance", say("Variance"), "short"),
        Column("reference", say("Reference"), "words"),
        Column("folklore", say("What is usually done"), "words"),
    ]
    rows: list[dict[str, Any]] = [
        row._asdict() | {"why": say.again(row.why), "folklore": say.again(row.folklore)} for row in recommendation.rows
    ]
    table = Table("recommended", say("What suits each parameter"), columns, rows)
    return Section("recommendation", say("Recommended, layer by layer"), [table])


def _measured(measured: pd.DataFrame, say: Language) -> Section:
    columns = [
        Column("initializer", say("Initializer"), "text"),
        Column("score", say("Score"), "number"),
        Column("weakest", say("Weakest in"), "text"),
        Column("gradient_size", say("Size of the gradient"), "short"),
        Column("agreement", say("Agreement of halves"), "number"),
        Column("loss", say("Loss at the start"), "short"),
    ]
    rows = [row | {"weakest": say(row["weakest"])} for row in records(measured)]
    title = say("Measured on some samples, before training")
    return Section("measured", say("Measured"), [Table("measured", title, columns, rows)])
