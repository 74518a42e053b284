"""What the reports of a diagnosis and of a recommendation say."""

from typing import Any

import pandas as pd

from initsk.diagnosis import Advice, Diagnosis, Recommendation, by_initializer, findings_of
from initsk.displays import PhaseDiagramDisplay
from initsk.exceptions import InvalidParameterError
from initsk.report._blocks import Column, Fact, Facts, Picture, Report, Section, Table, Words, records
from initsk.report._inspection import inspection_details
from initsk.utils.language import Language, message


def summarize_diagnosis(diagnosis: Diagnosis, say: Language, *, brief: bool = False) -> Report:
    """Return the report: the answer, what was found, what would suit, and the layers."""
    sections = [
        Section(
            "answer", say("Answer"), [Words(diagnosis.sentence(say.code), "answer"), Facts(_facts(diagnosis, say))]
        ),
        _findings(diagnosis, say),
        _numbers(diagnosis, say),
    ]
    if diagnosis.recommendation is not None:
        sections.append(_recommended(diagnosis.recommendation, say))
    if not brief:
        sections += [*_phase(diagnosis, say), *inspection_details(diagnosis.summary, say)]
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


def _numbers(diagnosis: Diagnosis, say: Language) -> Section:
    columns = [
        Column("verdict", say("Verdict"), "text"),
        Column("number", say("Number"), "short"),
        Column("threshold", say("Threshold"), "short"),
        Column("health", say("Health"), "number"),
        Column("recommended_number", say("Number, recommended"), "short"),
        Column("recommended_health", say("Health, recommended"), "number"),
    ]
    rows = [row | {"verdict": say(row["verdict"])} for row in records(diagnosis.numbers)]
    title = say(
        "The worst layer's numbers, as it is and with the recommended initializers; health 0.5 is the threshold"
    )
    return Section("numbers", say("What decides"), [Table("numbers", title, columns, rows)])


def _phase(diagnosis: Diagnosis, say: Language) -> list[Section]:
    """Return where the network lies between order and chaos, if theory has anything to say of it."""
    depth = diagnosis.depth
    try:
        display = PhaseDiagramDisplay.from_diagnosis(diagnosis, say("this network"))
    except InvalidParameterError:
        return []
    assert depth is not None
    text = message("By theory samples can be told apart through {reach} layers of this kind; there are {depth}.")
    if depth.reach == float("inf"):
        text = message(
            "By theory samples can be told apart through any number of layers of this kind; there are {depth}."
        )
    words = say(text, reach=say.integer(depth.reach), depth=say.integer(depth.depth))
    said = say("Depth scale over the variances of weights and biases, with the critical line and this network.")
    picture = Picture("phase", said, lambda: display.plot(language=say.code).figure_)
    return [Section("phase", say("Between order and chaos"), [Words(words), picture])]


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
        Column("name", say("Parameters"), "text"),
        Column("shape", say("Shape"), "text"),
        Column("initializer", say("Initializer"), "code"),
        Column("why", say("Why"), "words"),
        Column("variance", say("Variance"), "short"),
        Column("reference", say("Reference"), "words"),
        Column("folklore", say("What is usually done"), "words"),
    ]
    # Layers of which the same is said are one row.
    groups: dict[str, list[Advice]] = {}
    for row in recommendation.rows:
        groups.setdefault(repr(row[1:]), []).append(row)
    rows: list[dict[str, Any]] = []
    for same in groups.values():
        said = {"why": say.again(same[0].why), "folklore": say.again(same[0].folklore)}
        rows.append(same[0]._asdict() | said | {"name": _names([row.name for row in same])})
    table = Table("recommended", say("What suits each parameter"), columns, rows)
    return Section("recommendation", say("Recommended, layer by layer"), [table])


def _names(names: list[str]) -> str:
    """Return names, of many the first and the last and how many there are."""
    return ", ".join(names) if len(names) < 3 else f"{names[0]} … {names[-1]} ({len(names)})"


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
