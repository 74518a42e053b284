"""Writing a report as a page of one file, as an element of another page, as Markdown and as JSON."""

import json
import os
from functools import cache
from html import escape
from math import isfinite, isnan
from typing import Any
from urllib.parse import quote

import numpy as np

from initsk.displays import figure_inline
from initsk.language import translate, use_language
from initsk.report._elements import Code, Details, Element, Paragraph, Picture, Report, Section, Subsection
from initsk.report._tables import Table
from initsk.text import visible, visible_json
from initsk.utils.markdown import escaped, markdown_table

# Space beside a panel for its ticks, in points; the first panel has the name of its axis there too.
_LEFT, _RIGHT = 34, 8
_FRAGMENT = (
    '<iframe title="{title}" srcdoc="{page}" style="width:100%;height:32rem;border:0"'
    " onload=\"this.style.height=this.contentDocument.documentElement.scrollHeight+'px'\"></iframe>"
)


def to_page(report: Report) -> str:
    """Return the whole page; equal reports give equal text."""
    with use_language(report.language):
        return str(_environment().get_template("report.html").render(report=report))


def to_fragment(report: Report) -> str:
    """Return the report as an element of another page, such as a notebook.

    The element is a frame, so that the styles of the two pages do not mix.
    """
    return _FRAGMENT.format(title=escape(visible(report.title)), page=escape(to_page(report)))


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    loader = PackageLoader("initsk", "report/templates")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_finalized)
    environment.filters["lines"] = lambda text: Markup(escape(visible(text, lines=True)))
    environment.globals |= {
        "translate": translate,
        "choices": _choices,
        "boxes": _boxes,
        "svg": lambda picture: figure_inline(picture.figure, picture.key),
    }
    return environment


def _finalized(value: Any) -> Any:
    """Return a value as a page shows it; what is HTML already is not changed."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _choices(section: Section) -> dict[str, list[str]]:
    """Return what a reader can choose in a section: the initializer, the layer (part) and the moment (stage)."""
    pictures = [picture for picture in section.pictures() if picture.place != "files"]
    found = {
        "subjects": [part.title for part in section.elements if isinstance(part, Subsection)],
        "parts": max((list(picture.parts) for picture in pictures), key=len, default=[]),
        "stages": list(dict.fromkeys(picture.stage for picture in pictures if picture.stage)),
    }
    return {name: values if len(values) > 1 else [] for name, values in found.items()}


def _boxes(picture: Picture) -> str:
    """Return the place of each part in the drawing, as JSON: left, top, width and height in points."""
    if not picture.parts:
        return "[]"
    width, height = picture.figure.get_size_inches() * 72
    boxes = []
    for number, axes in enumerate(picture.figure.axes):
        place = axes.get_position()
        left = place.x0 * width - _LEFT if number else 0.0
        boxes.append([round(v, 1) for v in (left, 0, place.x1 * width + _RIGHT - left, height)])
    return json.dumps(boxes)


def to_markdown(report: Report, folder: str | None = None) -> str:
    """Return the report as Markdown.

    Parameters
    ----------
    report : Report
    folder : str, optional
        The folder of the pictures, relative to the file. Without it, the text only describes the pictures.
    """
    parts = [f"# {escaped(report.title)}"]
    with use_language(report.language):
        for number, section in enumerate(report.sections):
            if number:
                parts.append(f"## {escaped(section.title)}")
            for element in section.elements:
                parts += _markdown(element, folder)
    return "\n\n".join(parts) + "\n"


def _markdown(element: Element, folder: str | None) -> list[str]:
    match element:
        case Paragraph():
            text = escaped(element.text)
            return [f"**{text}**" if element.role in ("answer", "warning") else text] if text else []
        case Table():
            titles = [escaped(column.title) for column in element.columns]
            rows = [[escaped(column.cell(row)) for column in element.columns] for row in element.rows]
            numeric = [not column.is_text for column in element.columns]
            return [f"**{escaped(element.title)}**", markdown_table(titles, rows, numeric)]
        case Picture():
            if element.place == "page":
                return []
            description = escaped(element.description)
            if folder is None:
                return [description]
            return [f"![{description}]({quote(os.fsencode(folder))}/{element.key}.png)"]
        case Details():
            return ["\n".join(f"- {escaped(detail.name)}: {escaped(detail.value)}" for detail in element.items)]
        case Code():
            # Indented, because a fence could occur in the code and end the block.
            return ["\n".join(f"    {visible(line)}" for line in element.text.split("\n"))]
        case Subsection():
            findings = f" ({escaped(element.findings)})" if element.findings else ""
            inner = [part for inside in element.elements for part in _markdown(inside, folder)]
            return [f"### {escaped(element.title)}{findings}", *inner] if inner else []


def to_json(report: Report) -> str:
    """Return the report as JSON: numbers in full, sentences in the language of the report."""
    content = {
        "format": "initsk report",
        "version": 1,
        "kind": report.kind,
        "language": report.language,
        "title": report.title,
        "sections": [part._asdict() | {"elements": _json_elements(part.elements)} for part in report.sections],
    }
    return visible_json(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)) + "\n"


def _json_elements(elements: list[Element]) -> list[dict[str, Any]]:
    return [_json(part) for part in elements if not (isinstance(part, Picture) and part.place == "page")]


def _json(element: Element) -> dict[str, Any]:
    match element:
        case Paragraph():
            return {"type": "paragraph", "role": element.role, "text": element.text}
        case Table():
            columns = [{"key": c.key, "title": c.title, "kind": c.kind} for c in element.columns]
            rows = [{c.key: json_value(row[c.key]) for c in element.columns} for row in element.rows]
            return {"type": "table", "key": element.key, "title": element.title, "columns": columns, "rows": rows}
        case Picture():
            return {"type": "picture", "key": element.key, "description": element.description}
        case Details():
            return {"type": "details", "items": [{"name": item.name, "value": item.value} for item in element.items]}
        case Code():
            return {"type": "code", "text": element.text}
        case Subsection():
            content: dict[str, Any] = {"type": "subsection", "key": element.key, "title": element.title}
            if element.findings:
                content |= {"findings": element.findings, "healthy": element.healthy}
            return content | {"elements": _json_elements(element.elements)}


def json_value(value: Any) -> Any:
    """Return a cell: NaN as null, infinity as a word, other values unchanged."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, float) or isfinite(value):
        return value
    return None if isnan(value) else "infinite" if value > 0 else "-infinite"
