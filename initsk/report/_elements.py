"""The elements of a report: sections with paragraphs, tables, pictures and details, independent of the file format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from initsk.language import current_language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: How the values of a column are written.
KINDS = ("text", "sentence", "code", "integer", "number", "short", "share", "p")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; its role is "answer", "warning", "note" or empty."""

    text: str
    role: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table: its key in the rows, its title, and how its values are written."""

    key: str
    title: str
    kind: str = "number"
    digits: int = 4
    #: The text for an infinite value.
    infinite: str = ""

    @property
    def is_text(self) -> bool:
        """Whether the values are names ("text"), sentences ("sentence") or code, not numbers."""
        return self.kind in ("text", "sentence", "code")


def columns_of(kind: str, /, **titles: str) -> list[Column]:
    """Return columns of one kind; `titles` has their titles by key."""
    return [Column(key, title, kind) for key, title in titles.items()]


@dataclass(frozen=True)
class Table:
    """Rows of raw values; the first column of text is the heading of a row.

    `colours` has one colour for each row, or is empty.
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
        Text alternative for readers that cannot see the picture.
    plot : callable
        The method `plot` of a Display, or a function like it: called with ``language``, it returns the Display.
    place : {"everywhere", "page", "files"}
        "page": only in the page, because a file has it as a part of a larger picture; "files": only as a file, because
        the page has its parts.
    subject, stage : str
        The initializer and the moment of training that it shows, if the section has a picture for each.
    parts : sequence of str
        Names of its panels, in the order of the axes.
    """

    key: str
    description: str
    plot: Callable[..., Any]
    place: str = "everywhere"
    subject: str = ""
    stage: str = ""
    parts: Sequence[str] = ()

    @cached_property
    def figure(self) -> "Figure":
        """The figure, drawn once, in the current language."""
        figure: Figure = self.plot(language=current_language().code).figure_
        return figure


@dataclass(frozen=True)
class Detail:
    """A term and its value; with `code`, the value is shown as code."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class Details:
    """A list of terms with their values."""

    items: list[Detail]


@dataclass(frozen=True)
class Code:
    """Lines of code that repeat the experiment."""

    text: str


@dataclass(frozen=True)
class Subsection:
    """A part of a section about one subject, with its colour and findings."""

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
    """A heading and the elements below it."""

    key: str
    title: str
    elements: list[Element]


@dataclass(frozen=True)
class Report:
    """A report in one language.

    Attributes
    ----------
    kind : str
        "comparison", "inspection", "diagnosis" or "recommendation".
    title : str
    sections : list of Section
        The first one is the answer; the page shows it without a heading.
    language : str
        Code of the language, by default the current one.
    """

    kind: str
    title: str
    sections: list[Section]
    language: str = field(default_factory=lambda: current_language().code)

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures that become files."""
        for section in self.sections:
            yield from (picture for picture in pictures_of(section) if picture.place != "page")


def pictures_of(section: Section) -> Iterator[Picture]:
    """Yield the pictures of a section and of its subsections."""
    for element in section.elements:
        inner = element.elements if isinstance(element, Subsection) else [element]
        yield from (part for part in inner if isinstance(part, Picture))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as the rows of a table."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def cell_text(row: dict[str, Any], column: Column) -> str:
    """Return a cell of a table as text in the current language."""
    value, language = row[column.key], current_language()
    if column.is_text:
        return str(value)
    number = float("nan") if value is None else float(value)
    if column.infinite and number == float("inf"):
        return column.infinite
    if column.kind == "p" and number < 1e-4:
        return f"< {language.number(1e-4)}"
    if column.kind in ("number", "p"):
        return language.number(number, column.digits)
    if column.kind == "integer":
        return language.integer(number)
    return language.percent(number) if column.kind == "share" else language.short(number)
