"""From a report to files."""

import re
from functools import singledispatch
from inspect import signature
from pathlib import Path
from typing import Any

from initsk.comparison import ComparisonResult
from initsk.diagnosis import Diagnosis, Recommendation
from initsk.displays import AXES, figure_png, figure_svg
from initsk.exceptions import InvalidParameterError
from initsk.inspection import ActivationSummary
from initsk.language import Language, get_language
from initsk.report._comparison import summarize_comparison
from initsk.report._comparison_text import answer
from initsk.report._diagnosis import summarize_diagnosis, summarize_recommendation
from initsk.report._elements import Report
from initsk.report._findings_text import answer_of_diagnosis, answer_of_inspection
from initsk.report._inspection import summarize_inspection
from initsk.report._writers import to_fragment, to_json, to_markdown, to_page
from initsk.utils.files import write_atomic
from initsk.utils.validation import boolean, check_parameters, one_of

_NOT_OPTIONS = ("result", "translate", "brief")


@singledispatch
def summarize(result: Any, translate: Language, **options: Any) -> Report:
    """Return the report of a result, in a language."""
    raise InvalidParameterError(f"{type(result).__name__} has no report")


@summarize.register
def _of_comparison(
    result: ComparisonResult, translate: Language, *, axes: str = "shared", brief: bool = False
) -> Report:
    check_parameters("report", {"axes": axes}, {"axes": one_of("axes", AXES)})
    if "experiment" in result.runs:
        raise InvalidParameterError("several experiments have a report each: take those of parts()")
    return summarize_comparison(result, translate, axes, brief=brief)


@summarize.register
def _of_inspection(result: ActivationSummary, translate: Language, *, brief: bool = False) -> Report:
    return summarize_inspection(result, translate, brief=brief)


@summarize.register
def _of_diagnosis(result: Diagnosis, translate: Language, *, brief: bool = False) -> Report:
    return summarize_diagnosis(result, translate, brief=brief)


@summarize.register
def _of_recommendation(result: Recommendation, translate: Language, *, brief: bool = False) -> Report:
    return summarize_recommendation(result, translate, brief=brief)


def answer_of(result: Any, language: str = "en") -> str:
    """Return the answer of a result in a sentence or two: the first words of its report.

    Parameters
    ----------
    result : ComparisonResult, ActivationSummary, Diagnosis or Recommendation
    language : str, default="en"
        "en", "id", or another file in ``initsk/locale``.
    """
    translate = get_language(language)
    if isinstance(result, ComparisonResult):
        return answer(result.summary(), language)
    if isinstance(result, Diagnosis):
        return answer_of_diagnosis(result, translate)
    return str(result) if isinstance(result, Recommendation) else answer_of_inspection(result, translate)


def make_report(
    result: Any, kind: str, path: str | Path | None, language: str, *, fragment: bool = False, **options: Any
) -> str | Path:
    """Return the report as text or, with a path, write it and its pictures.

    Parameters
    ----------
    result : ComparisonResult, ActivationSummary, Diagnosis or Recommendation
    kind : {"html", "markdown", "json"}
    path : str, Path or None
        The file; pictures go beside it into ``<name>_files``, each as PNG and SVG.
    language : str
    fragment : bool, default=False
        Of HTML, an element of another page in place of a whole one.
    **options
        What the result's own report has.
    """
    if path is not None and Path(path).is_dir():
        raise InvalidParameterError(f"path={str(path)!r} is a folder (allowed: a file in it, as index.html)")
    check_parameters("to_html", {"fragment": fragment}, {"fragment": boolean()})
    _check_options(result, options)
    report = summarize(result, get_language(language), **options)
    folder = None if path is None else f"{Path(path).stem}_files"
    text = _rendered(report, kind, folder, fragment)
    if path is None:
        return text
    # Pictures first: a page never names what is not there.
    if kind != "json":
        write_pictures(report, Path(path).parent / str(folder))
    return write_atomic(path, text)


def _check_options(result: Any, options: dict[str, Any]) -> None:
    """Refuse options that this kind of result's report does not have."""
    known = [name for name in signature(summarize.dispatch(type(result))).parameters if name not in _NOT_OPTIONS]
    for name in options:
        if name not in known:
            has = f"allowed: {', '.join(known)}" if known else "it has none"
            raise InvalidParameterError(f"the report of {type(result).__name__} has no option {name!r} ({has})")


def _rendered(report: Report, kind: str, folder: str | None, fragment: bool) -> str:
    if kind == "html":
        return to_fragment(report) if fragment else to_page(report)
    return to_json(report) if kind == "json" else to_markdown(report, folder)


def write_pictures(report: Report, folder: Path) -> list[Path]:
    """Write every picture as PNG and as SVG."""
    written = []
    for picture in report.pictures():
        name = re.sub(r"[^\w-]", "_", picture.key)
        written.append(write_atomic(folder / f"{name}.png", figure_png(picture.figure)))
        written.append(write_atomic(folder / f"{name}.svg", figure_svg(picture.figure, name)))
    return written


def notebook_html(result: Any) -> str:
    """Return what a notebook shows: the answer and what carries it."""
    return to_fragment(summarize(result, get_language("en"), brief=True))
