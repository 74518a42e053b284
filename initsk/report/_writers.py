"""A report as a page that needs nothing else, and as a fragment of another page."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from math import isfinite, isnan
from typing import Any

import numpy as np

from initsk.displays import figure_inline
from initsk.report._elements import (
    Code,
    Column,
    Details,
    Element,
    Paragraph,
    Picture,
    Report,
    Section,
    Subsection,
    Table,
    written,
)

# Beside a panel, for its ticks, in points; the first one has its axis' name there too.
_LEFT, _RIGHT = 34, 8
_FRAGMENT = (
    '<iframe title="{title}" srcdoc="{page}" style="width:100%;height:32rem;border:0"'
    " onload=\"this.style.height=this.contentDocument.documentElement.scrollHeight+'px'\"></iframe>"
)


def to_page(report: Report) -> str:
    """Return the whole page; equal reports give equal text."""
    translate = report.translate

    def cell(row: dict[str, Any], column: Column) -> str:
        return written(row[column.key], column, translate)

    return str(
        _environment()
        .get_template("report.html")
        .render(
            report=report, translate=translate, cell=cell, choices=_choices, heading_of=_heading_of, boxes=_boxes,
            svg=lambda picture: figure_inline(picture.figure, picture.key),
        )
    )  # fmt: skip


def to_fragment(report: Report) -> str:
    """Return the report as an element of another page, such as a notebook.

    It is a frame, so that neither page has any of the other's styles.
    """
    return _FRAGMENT.format(title=escape(report.title), page=escape(to_page(report)))


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader

    return Environment(
        loader=PackageLoader("initsk", "report/templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


@dataclass(frozen=True)
class _Choices:
    """What can be chosen in a section: of whom, which layer, which moment."""

    subjects: list[str]
    parts: list[str]
    stages: list[str]


def _choices(section: Section) -> _Choices:
    pictures = list(_pictures(section))
    subjects = [element.subject for element in section.elements if isinstance(element, Subsection) and element.subject]
    stages = list(dict.fromkeys(picture.stage for picture in pictures if picture.stage))
    parts = max((list(picture.parts) for picture in pictures), key=len, default=[])
    return _Choices(*(found if len(found) > 1 else [] for found in (subjects, parts, stages)))


def _pictures(section: Section) -> Iterator[Picture]:
    for element in section.elements:
        inner = element.elements if isinstance(element, Subsection) else [element]
        yield from (part for part in inner if isinstance(part, Picture) and part.place != "files")


def _heading_of(table: Table) -> str:
    """Return the key of the column that names the row: the first one of text."""
    return next((column.key for column in table.columns if column.is_text), "")


def _boxes(picture: Picture) -> str:
    """Return where in the drawing each part is, as JSON: left, top, width and height in points."""
    if not picture.parts:
        return "[]"
    width, height = picture.figure.get_size_inches() * 72
    boxes = []
    for number, axes in enumerate(picture.figure.axes):
        place = axes.get_position()
        left = place.x0 * width - _LEFT if number else 0.0
        boxes.append([round(v, 1) for v in (left, 0, place.x1 * width + _RIGHT - left, height)])
    return json.dumps(boxes)


# What would begin or end something in GitHub's Markdown, and tags.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def to_markdown(report: Report, folder: str | None = None) -> str:
    """Return the report as Markdown.

    Parameters
    ----------
    report : Report
    folder : str, optional
        Where the pictures lie, relative to the file; without it they are described only.
    """
    parts = [f"# {escaped(report.title)}"]
    for number, section in enumerate(report.sections):
        if number:
            parts.append(f"## {escaped(section.title)}")
        for element in section.elements:
            parts += _element(element, report, folder)
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escaped("a|b <i>\nnext")
    'a\\|b \\<i\\> next'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _element(element: Element, report: Report, folder: str | None) -> list[str]:
    match element:
        case Paragraph():
            text = escaped(element.text)
            return [f"**{text}**" if element.role in ("answer", "warning") else text] if text else []
        case Table():
            return [f"**{escaped(element.title)}**", _table(element, report)]
        case Picture():
            return _picture(element, folder)
        case Details():
            return ["\n".join(f"- {escaped(detail.name)}: {escaped(detail.value)}" for detail in element.items)]
        case Code():
            # Indented, so that no fence in it can end it.
            return ["\n".join(f"    {line}" for line in element.text.splitlines())]
        case Subsection():
            verdict = f" ({escaped(element.findings)})" if element.findings else ""
            inner = [part for inside in element.elements for part in _element(inside, report, folder)]
            return [f"### {escaped(element.title)}{verdict}", *inner] if inner else []


def _picture(picture: Picture, folder: str | None) -> list[str]:
    if picture.place == "page":
        return []
    description = escaped(picture.description)
    return [description] if folder is None else [f"![{description}]({folder}/{picture.key}.png)"]


def _table(table: Table, report: Report) -> str:
    rows = [[written(row[c.key], c, report.translate) for c in table.columns] for row in table.rows]
    lines = [[column.title for column in table.columns], *rows]
    texts = [f"| {' | '.join(escaped(cell) for cell in line)} |" for line in lines]
    rule = "|".join(" --- " if column.is_text else " ---: " for column in table.columns)
    return "\n".join([texts[0], f"|{rule}|", *texts[1:]])


VERSION = 1


def to_json(report: Report) -> str:
    """Return the report as JSON: every number as it is, every sentence in the report's language."""
    content = {
        "format": "initsk report",
        "version": VERSION,
        "kind": report.kind,
        "language": report.translate.code,
        "title": report.title,
        "sections": [_section(section) for section in report.sections],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _section(section: Section) -> dict[str, Any]:
    elements = [_json_element(element) for element in section.elements if not _of_the_page(element)]
    return {"key": section.key, "title": section.title, "elements": elements}


def _of_the_page(element: Element) -> bool:
    return isinstance(element, Picture) and element.place == "page"


def _json_element(element: Element) -> dict[str, Any]:
    match element:
        case Paragraph():
            return {"type": "paragraph", "role": element.role, "text": element.text}
        case Table():
            columns = [{"key": c.key, "title": c.title, "kind": c.kind} for c in element.columns]
            rows = [{c.key: _value(row[c.key]) for c in element.columns} for row in element.rows]
            return {"type": "table", "key": element.key, "title": element.title, "columns": columns, "rows": rows}
        case Picture():
            return {"type": "picture", "key": element.key, "description": element.description}
        case Details():
            items = [{"name": detail.name, "value": detail.value} for detail in element.items]
            return {"type": "details", "items": items}
        case Code():
            return {"type": "code", "text": element.text}
        case Subsection():
            inner = [_json_element(part) for part in element.elements if not _of_the_page(part)]
            verdict = {"findings": element.findings, "healthy": element.healthy} if element.findings else {}
            return {"type": "subsection", "key": element.key, "title": element.title, **verdict, "elements": inner}


def _value(value: Any) -> Any:
    """Return a cell: NaN and what is missing as null, infinity as a word."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, float) or isfinite(value):
        return value
    return None if isnan(value) else "infinite" if value > 0 else "-infinite"
