"""What a report is made of: sections of words, tables, pictures and facts, before anybody writes them down."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from initsk.language import Language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: How a column's values are written.
KINDS = ("text", "sentence", "code", "integer", "number", "short", "share", "p")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; its role is "answer", "warning", "note" or none."""

    text: str
    role: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table: under which key the rows have it, its title, and how its values are written."""

    key: str
    title: str
    kind: str = "number"
    digits: int = 4
    #: What is written for an infinite value.
    infinite: str = ""

    @property
    def is_text(self) -> bool:
        """Whether the values are no numbers: names ("text"), sentences ("sentence") or code."""
        return self.kind in ("text", "sentence", "code")


@dataclass(frozen=True)
class Table:
    """Rows of raw values; the first column names the row, unless it is a rank.

    `colours` has the colour of each row's subject, where it has one.
    """

    key: str
    title: str
    columns: list[Column]
    rows: list[dict[str, Any]]
    colours: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Picture:
    """A picture with a text alternative, drawn when it is needed.

    Attributes
    ----------
    key : str
        Name of its files.
    description : str
        What a reader sees who does not see it.
    draw : callable
        Returns the matplotlib figure.
    place : {"everywhere", "page", "files"}
        In the page alone (a part of another picture), or as a file alone (of which the page has the parts).
    subject, stage : str
        Whom and which moment it shows, where a section has a picture for several.
    parts : sequence of str
        Names of its panels, in the order of the axes' ids ``layer-0``, ``layer-1``, ...
    """

    key: str
    description: str
    draw: Callable[[], "Figure"]
    place: str = "everywhere"
    subject: str = ""
    stage: str = ""
    parts: Sequence[str] = ()

    @cached_property
    def figure(self) -> "Figure":
        """The figure, drawn once."""
        return self.draw()


@dataclass(frozen=True)
class Detail:
    """A term and what is to be said of it; `code` is shown as such."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class Details:
    """A list of facts."""

    items: list[Detail]


@dataclass(frozen=True)
class Code:
    """Lines that repeat what was done."""

    text: str


@dataclass(frozen=True)
class Subsection:
    """A part of a section that is about one subject, with its colour and its verdict."""

    key: str
    title: str
    elements: list["Element"]
    colour: str = ""
    findings: str = ""
    healthy: bool = True
    subject: str = ""


Element = Paragraph | Table | Picture | Details | Code | Subsection


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    key: str
    title: str
    elements: list[Element]


@dataclass(frozen=True)
class Report:
    """A whole report, in one language.

    Attributes
    ----------
    kind : str
        "comparison", "inspection", "diagnosis" or "recommendation".
    title : str
    translate : Language
    sections : list of Section
        Of the first one, the page shows no heading: it is the answer.
    """

    kind: str
    title: str
    translate: Language
    sections: list[Section]

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures that are files of their own."""
        yield from (
            element for element in self._all_elements() if isinstance(element, Picture) and element.place != "page"
        )

    def _all_elements(self) -> Iterator[Element]:
        for section in self.sections:
            for element in section.elements:
                yield element
                if isinstance(element, Subsection):
                    yield from element.elements


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as a table's."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def written(value: Any, column: Column, translate: Language) -> str:
    """Return a cell as text."""
    if column.is_text:
        return str(value)
    number = float("nan") if value is None else float(value)
    if column.infinite and number == float("inf"):
        return column.infinite
    if column.kind == "p" and number < 1e-4:
        return f"< {translate.number(1e-4)}"
    if column.kind == "integer":
        return translate.integer(number)
    if column.kind == "share":
        return translate.percent(number)
    if column.kind == "short":
        return translate.short(number)
    return translate.number(number, column.digits)
