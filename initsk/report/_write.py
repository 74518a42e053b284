"""Making the report of a result and writing it to files."""

import re
from collections.abc import Sequence
from functools import singledispatch
from html import escape
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np

from initsk.comparison import ComparisonResult
from initsk.diagnosis import Audit, Diagnosis, Recommendation
from initsk.displays import FORMATS, figure_file
from initsk.exceptions import InvalidParameterError
from initsk.inspection import ActivationSummary
from initsk.language import use_language
from initsk.report._answers import answer_of_audit, answer_of_diagnosis, answer_of_inspection
from initsk.report._comparison import summarize_comparison
from initsk.report._comparison_notes import answer_of_comparison
from initsk.report._diagnosis import summarize_audit, summarize_diagnosis, summarize_recommendation
from initsk.report._elements import Report
from initsk.report._findings_text import with_sentences
from initsk.report._inspection import summarize_inspection
from initsk.report._missing_runs import describe_failures, describe_unfinished
from initsk.report._writers import to_fragment, to_json, to_markdown, to_page
from initsk.text import visible
from initsk.utils.files import as_folder, as_path, write_atomic
from initsk.utils.validation import boolean, check_parameters, each_of


@singledispatch
def _summarize(result: Any, **options: Any) -> Report:
    raise InvalidParameterError(f"{type(result).__name__} has no report")


_summarize.register(ComparisonResult, summarize_comparison)
_summarize.register(ActivationSummary, summarize_inspection)
_summarize.register(Diagnosis, summarize_diagnosis)
_summarize.register(Audit, summarize_audit)
_summarize.register(Recommendation, summarize_recommendation)


def summarize(result: Any, language: str = "en", *, brief: bool = False, **options: Any) -> Report:
    """Return the report of a result as an object that the writers take.

    Parameters
    ----------
    result : ComparisonResult, ActivationSummary, Diagnosis, Audit or Recommendation
    language : str, default="en"
        Code of the language.
    brief : bool, default=False
        Whether to make only the answer and the tables that support it, as notebooks show them.
    **options
        Of a comparison, ``axes``: "shared" or "article". Of a diagnosis, ``rates``: True or False.

    Examples
    --------
    >>> from torch import nn
    >>> from initsk import recommend_initializer
    >>> report = summarize(recommend_initializer(nn.Sequential(nn.Linear(2, 3), nn.ReLU())))
    >>> report.title, [section.key for section in report.sections]
    ('Recommended initializers', ['answer', 'recommendation', 'run'])
    """
    parameters = signature(_summarize.dispatch(type(result))).parameters.values()
    known = [each.name for each in parameters if each.kind is Parameter.KEYWORD_ONLY and each.name != "brief"]
    for name in options:
        if name not in known:
            has = f"allowed: {', '.join(known)}" if known else "it has none"
            raise InvalidParameterError(f"the report of {type(result).__name__} has no option {name!r} ({has})")
    with use_language(language), np.errstate(all="ignore"):
        return _summarize(result, brief=brief, **options)


def answer_of(result: Any, language: str = "en") -> str:
    """Return the answer of a result in a few sentences: the first paragraph of its report.

    Of several experiments, it is a line for each.

    Parameters
    ----------
    result : ComparisonResult, ActivationSummary, Diagnosis, Audit or Recommendation
    language : str, default="en"
        "en", "id", or another file in ``initsk/locale``.
    """
    with use_language(language), np.errstate(all="ignore"):
        if isinstance(result, ComparisonResult):
            if "experiment" in result.runs:
                answers = {name: answer_of(part, language) for name, part in result.parts().items()}
                return "\n".join(f"{visible(name)}: {answer}" for name, answer in answers.items())
            unfinished = describe_unfinished(result.runs, result.settings)
            failed = describe_failures(result.runs, result.settings)
            return " ".join(filter(None, [unfinished, answer_of_comparison(result, result.summary()), failed]))
        if isinstance(result, Diagnosis):
            return answer_of_diagnosis(result, with_sentences(result.findings(), result.depth))
        if isinstance(result, Audit):
            return answer_of_audit(result, with_sentences(result.findings()))
        if isinstance(result, Recommendation):
            return str(result)
        return answer_of_inspection(result, with_sentences(result.findings()))


def make_report(
    result: Any, kind: str, path: str | Path | None, language: str, *, fragment: bool = False, **options: Any
) -> str | Path:
    """Return the report as text or, with a path, write it with its pictures and return the path.

    Parameters
    ----------
    result : ComparisonResult, ActivationSummary, Diagnosis, Audit or Recommendation
    kind : {"html", "markdown", "json"}
    path : str, Path or None
        The file. The pictures go into the folder ``<name>_files`` beside it, each as PNG and SVG.
    language : str
    fragment : bool, default=False
        For HTML: whether to return an element of another page instead of a whole page.
    **options
        Options of `summarize`.
    """
    path = None if path is None else as_path(path)
    if path is not None and path.is_dir():
        raise InvalidParameterError(f"path={str(path)!r} is a folder (allowed: a file in it, such as index.html)")
    check_parameters("to_html", {"fragment": fragment}, {"fragment": boolean()})
    report = summarize(result, language, **options)
    folder = None if path is None else f"{path.stem}_files"
    if kind == "html":
        text = to_fragment(report) if fragment else to_page(report)
    else:
        text = to_json(report) if kind == "json" else to_markdown(report, folder)
    if path is None:
        return text
    # Pictures first, so that a page never refers to a missing file.
    if kind != "json":
        write_pictures(report, path.parent / str(folder))
    return write_atomic(path, text)


def write_pictures(report: Report, folder: str | Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write every picture of a report in each format, and return the paths; equal reports give equal bytes."""
    written, folder = [], as_folder(folder)
    with use_language(report.language):
        for picture in report.pictures():
            path = folder / re.sub(r"[^\w-]", "_", picture.key)
            for kind in formats:
                written.append(write_atomic(f"{path}.{kind}", figure_file(picture.figure, kind, path.name)))
    return written


def pictures_of(
    result: Any, folder: str | Path, language: str, formats: str | Sequence[str] | None, **options: Any
) -> list[Path]:
    """Write the pictures of a result in one format or several, by default as PNG and as SVG."""
    chosen = ["png", "svg"] if formats is None else [formats] if isinstance(formats, str) else list(formats)
    check_parameters("to_pictures", {"format": chosen}, {"format": each_of("format", FORMATS)})
    return write_pictures(summarize(result, language, **options), folder, chosen)


def notebook_html(result: Any) -> str:
    """Return the HTML for a notebook: the answer and the tables that support it, of each experiment."""
    if isinstance(result, ComparisonResult) and "experiment" in result.runs:
        parts = result.parts().items()
        return "\n".join(f"<p>{escape(visible(name))}</p>\n{notebook_html(part)}" for name, part in parts)
    return to_fragment(summarize(result, brief=True))
