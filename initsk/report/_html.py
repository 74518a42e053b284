"""A report as a page that needs nothing else, and as a fragment of another page."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from initsk.displays import figure_inline
from initsk.report._blocks import Column, Item, Picture, Report, Section, Table, written

# Beside a panel, for its ticks, in points; the first one has its axis' name there too.
_LEFT, _RIGHT = 34, 8
_FRAGMENT = (
    '<iframe title="{title}" srcdoc="{page}" style="width:100%;height:32rem;border:0"'
    " onload=\"this.style.height=this.contentDocument.documentElement.scrollHeight+'px'\"></iframe>"
)


def to_page(report: Report) -> str:
    """Return the whole page; equal reports give equal text."""
    say = report.say

    def cell(row: dict[str, Any], column: Column) -> str:
        return written(row[column.key], column, say)

    return str(
        _environment()
        .get_template("report.html")
        .render(
            report=report, say=say, cell=cell, choices=_choices, heading_of=_heading_of, boxes=_boxes,
            svg=lambda picture: figure_inline(picture.figure, picture.key),
        )
    )  # fmt: skip


def to_fragment(report: Report) -> str:
    """Return the report as an element of another page, a notebook's say.

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
    subjects = [block.subject for block in section.blocks if isinstance(block, Item) and block.subject]
    stages = list(dict.fromkeys(picture.stage for picture in pictures if picture.stage))
    parts = max((list(picture.parts) for picture in pictures), key=len, default=[])
    return _Choices(*(found if len(found) > 1 else [] for found in (subjects, parts, stages)))


def _pictures(section: Section) -> Iterator[Picture]:
    for block in section.blocks:
        inner = block.blocks if isinstance(block, Item) else [block]
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
