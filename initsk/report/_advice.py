"""What the reports of a diagnosis and of a recommendation say."""

from typing import Any

from initsk.advice import Diagnosis, Recommendation, by_initializer
from initsk.inspection import verdict_sentence
from initsk.report._blocks import Column, Fact, Facts, Report, Section, Table, Words
from initsk.report._inspection import inspection_details, verdicts_section
from initsk.utils._language import Language


def summarize_diagnosis(diagnosis: Diagnosis, say: Language, *, brief: bool = False) -> Report:
    """Return the report: the answer, what was found, what would suit, and the layers."""
    verdicts = diagnosis.summary.verdicts(language=say.code)
    fit = say("Fit to be trained.") if diagnosis.will_train else say("Not fit to be trained.")
    answer = Words(f"{fit} {verdict_sentence(verdicts, say.code)}", "answer")
    sections = [Section("answer", say("Answer"), [answer]), verdicts_section(verdicts, say)]
    if diagnosis.recommendation is not None:
        sections.append(_recommended(diagnosis.recommendation, say))
    if not brief:
        sections += inspection_details(diagnosis.summary, say)
    return Report("diagnosis", say("Before training: a diagnosis"), say, sections)


def summarize_recommendation(recommendation: Recommendation, say: Language, *, brief: bool = False) -> Report:
    """Return the report: what suits each layer, and why; it is as brief as it is."""
    facts = [Fact(name, ", ".join(names)) for name, names in by_initializer(recommendation.rows).items()]
    said = say('In code, initializer="auto" does what is said here.')
    sections = [
        Section("answer", say("Answer"), [Facts(facts), Words(said, "note")]),
        _recommended(recommendation, say),
    ]
    return Report("recommendation", say("Recommended initializers"), say, sections)


def _recommended(recommendation: Recommendation, say: Language) -> Section:
    columns = [
        Column("name", say("Parameter"), "text"),
        Column("shape", say("Shape"), "text"),
        Column("initializer", say("Initializer"), "code"),
        Column("why", say("Why"), "words"),
        Column("variance", say("Variance"), "short"),
        Column("reference", say("Reference"), "words"),
    ]
    rows: list[dict[str, Any]] = [row._asdict() | {"why": say.again(row.why)} for row in recommendation.rows]
    table = Table("recommended", say("What suits each parameter"), columns, rows)
    return Section("recommendation", say("Recommended, layer by layer"), [table])
