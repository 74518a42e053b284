"""The reports of a diagnosis, an audit and a recommendation."""

import pandas as pd

from initsk.diagnosis import Advice, Audit, Diagnosis, Recommendation, by_initializer
from initsk.displays import PhaseDiagramDisplay
from initsk.exceptions import InvalidParameterError
from initsk.language import current_language, message, plural, translate as _
from initsk.report._answers import answer_of_audit, answer_of_diagnosis
from initsk.report._elements import Detail, Details, Element, Paragraph, Picture, Report, Section
from initsk.report._findings_text import with_sentences
from initsk.report._inspection import findings_section, inspection_details
from initsk.report._run import run_sections
from initsk.report._tables import Column, Table, columns_of, records
from initsk.report._trial import score_section, trial_sections
from initsk.theory import activation_label
from initsk.utils.validation import boolean, check_parameters


def summarize_diagnosis(diagnosis: Diagnosis, *, brief: bool = False, rates: bool = True) -> Report:
    """Return the report: the answer, the findings, the recommended initializers and the layers.

    Without `rates`, no other learning rates are tried.
    """
    check_parameters("report", {"rates": rates}, {"rates": boolean()})
    findings = with_sentences(diagnosis.findings(), diagnosis.depth)
    answer = Paragraph(answer_of_diagnosis(diagnosis, findings), "answer")
    sections = [
        Section("answer", _("Answer"), [answer, Details(_details(diagnosis))]),
        findings_section(findings),
        *trial_sections(diagnosis, rates=rates),
        score_section(diagnosis),
    ]
    if diagnosis.recommendation is not None:
        sections.append(_recommended(diagnosis.recommendation))
    if not brief:
        sections += [*_phase(diagnosis), *inspection_details(diagnosis.inspection), *run_sections(diagnosis.settings)]
    return Report("diagnosis", _("Diagnosis of a training"), sections)


def summarize_audit(audit: Audit, *, brief: bool = False) -> Report:
    """Return the report: the answer, the findings, and what was not checked."""
    findings = with_sentences(audit.findings())
    answer = Paragraph(answer_of_audit(audit, findings), "answer")
    sections = [Section("answer", _("Answer"), [answer]), _faults(findings)]
    if audit.unchecked:
        reason = current_language().reason
        rows = [{"check": _(check), "why": reason(why)} for check, why in audit.unchecked]
        columns = [Column("check", _("Check"), "text"), Column("why", _("Reason"), "sentence")]
        table = Table("not_checked", _("Checks that could not be made"), columns, rows)
        sections.append(Section("not_checked", _("Not checked"), [table]))
    if not brief:
        sections += run_sections(audit.settings)
    return Report("audit", _("Audit of a network"), sections)


def _faults(findings: pd.DataFrame) -> Section:
    """Return the section of findings, with a column for faults in the place of what prevents training."""
    section = findings_section(findings)
    elements = [
        part._replace(columns=[_fault_column(column) for column in part.columns]) if isinstance(part, Table) else part
        for part in section.elements
    ]
    return section._replace(elements=elements)


def _fault_column(column: Column) -> Column:
    return Column("decides", _("Fault"), "text") if column.key == "decides" else column


def _details(diagnosis: Diagnosis) -> list[Detail]:
    number, short, integer = current_language().number, current_language().short, current_language().integer
    details = [
        Detail(_("Score"), number(diagnosis.score, 2)),
        Detail(_("Score with the recommended initializers"), number(diagnosis.recommended_score, 2)),
        Detail(_("Optimizer"), diagnosis.optimizer),
        Detail(_("Learning rate"), short(diagnosis.lr)),
        Detail(_("Steps of the training"), integer(diagnosis.budget)),
        Detail(_("Initial loss"), short(diagnosis.loss)),
        Detail(_("Baseline loss"), short(diagnosis.baseline_loss)),
    ]
    if diagnosis.depth is not None:
        text = message("Layers with {activation}, divided by the number that theory allows")
        name = _(text, activation=activation_label(diagnosis.depth.activation))
        details.append(Detail(name, short(diagnosis.depth.share)))
    return details


def _phase(diagnosis: Diagnosis) -> list[Section]:
    """Return the place of the network between order and chaos, or nothing if theory has no prediction for it."""
    depth = diagnosis.depth
    try:
        display = PhaseDiagramDisplay.from_diagnosis(
            diagnosis, label=_("this network"), recommended=_("recommended initializers")
        )
    except InvalidParameterError:
        return []
    assert depth is not None
    values = {"depth": depth.depth, "activation": activation_label(depth.activation)}
    if depth.reach == float("inf"):
        text = message(
            "In theory, samples remain distinguishable through any number of layers with {activation}. The network has"
            " {depth}."
        )
        paragraph = Paragraph(_(text, **values))
    else:
        theory = plural(
            "In theory, samples remain distinguishable through {n} layer with {activation}. The network has {depth}.",
            "In theory, samples remain distinguishable through {n} layers with {activation}. The network has {depth}.",
            int(depth.reach), **values,
        )  # fmt: skip
        paragraph = Paragraph(theory)
    description = _("Depth scale for each variance of weights and biases, with the critical line and this network.")
    picture = Picture("phase", description, display.plot)
    return [Section("phase", _("Phase diagram"), [paragraph, picture])]


def summarize_recommendation(recommendation: Recommendation, *, brief: bool = False) -> Report:
    """Return the report: an initializer for each layer and the reasons; with `brief`, not what was run."""
    details = [Detail(name, ", ".join(names)) for name, names in by_initializer(recommendation.rows).items()]
    note = _('In code, initializer="auto" applies this recommendation.')
    sections = [
        Section("answer", _("Answer"), [Details(details), Paragraph(note, "note")]),
        _recommended(recommendation),
    ]
    if recommendation.measured is not None:
        sections.append(_measured(recommendation, recommendation.measured))
    if not brief:
        sections += run_sections(recommendation.settings)
    return Report("recommendation", _("Recommended initializers"), sections)


def _recommended(recommendation: Recommendation) -> Section:
    columns = [
        *columns_of("text", name=_("Parameters"), shape=_("Shape")),
        Column("initializer", _("Initializer"), "code"),
        Column("why", _("Reason"), "sentence"),
        Column("variance", _("Variance"), "short"),
        *columns_of("sentence", reference=_("Reference"), common_practice=_("Common practice")),
    ]
    # Parameters with equal recommendations share a row.
    groups: dict[str, list[Advice]] = {}
    for row in recommendation.rows:
        groups.setdefault(repr(row[1:]), []).append(row)
    rows = []
    for same in groups.values():
        why, practice = (current_language().reason(text) for text in (same[0].why, same[0].common_practice))
        names = _names([row.name for row in same])
        rows.append(same[0]._asdict() | {"name": names, "why": why, "common_practice": practice})
    table = Table("recommended", _("Recommended initializer of each parameter"), columns, rows)
    rates = [Paragraph(current_language().reason(text), "note") for text in recommendation.learning_rate]
    return Section("recommendation", _("Recommendation, layer by layer"), [table, *rates])


def _names(names: list[str]) -> str:
    """Return the names or, if there are more than two, the first and the last with the number of names."""
    return ", ".join(names) if len(names) < 3 else f"{names[0]} … {names[-1]} ({len(names)})"


def _measured(recommendation: Recommendation, measured: pd.DataFrame) -> Section:
    columns = [
        Column("initializer", _("Initializer"), "text"),
        Column("score", _("Score")),
        Column("trial_loss", _("Loss after the same number of steps"), "short"),
        Column("steps", _("Steps of the trial"), "integer"),
        Column("gradient_size", _("Gradient size"), "short"),
        Column("agreement", _("Gradient coherence")),
        Column("loss", _("Initial loss"), "short"),
    ]
    title = _("Measured by a trial on a copy, before training")
    text = " ".join(current_language().reason(sentence) for sentence in recommendation.on_samples)
    elements: list[Element] = [Paragraph(text)] if text else []
    elements.append(Table("measured", title, columns, records(measured)))
    return Section("measured", _("Comparison with other initializers"), elements)
