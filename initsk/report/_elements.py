"""The elements of a report: sections with paragraphs, tables, pictures and details, independent of the file format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from initsk.displays import report_style
from initsk.language import current_language
from initsk.report._tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Paragraph(NamedTuple):
    """A paragraph; its role is "answer", "warning", "note" or empty."""

    text: str
    role: str = ""


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
    stage : str
        The moment of training that it shows, if the section has a picture for each.
    parts : sequence of str
        Names of its panels, in the order of the axes.
    """

    key: str
    description: str
    plot: Callable[..., Any]
    place: str = "everywhere"
    stage: str = ""
    parts: Sequence[str] = ()

    @cached_property
    def figure(self) -> "Figure":
        """The figure, drawn once, in the current language and the style of reports."""
        with report_style():
            figure: Figure = self.plot(language=current_language().code).figure_
        return figure


class Detail(NamedTuple):
    """A term and its value; with `code`, the value is shown as code."""

    name: str
    value: str
    code: bool = False


class Details(NamedTuple):
    """A list of terms with their values."""

    items: list[Detail]


class Code(NamedTuple):
    """Lines of code that repeat the experiment."""

    text: str


class Subsection(NamedTuple):
    """A part of a section with its color and findings; the title is its subject."""

    key: str
    title: str
    elements: list["Element"]
    color: str = ""
    findings: str = ""
    healthy: bool = True


Element = Paragraph | Table | Picture | Details | Code | Subsection


class Section(NamedTuple):
    """A heading and the elements below it; `subject` is the word for what its subsections are about."""

    key: str
    title: str
    elements: list[Element]
    subject: str = ""

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures of the section and of its subsections."""
        for element in self.elements:
            inner = element.elements if isinstance(element, Subsection) else [element]
            yield from (part for part in inner if isinstance(part, Picture))


@dataclass(frozen=True)
class Report:
    """A report in one language.

    Attributes
    ----------
    kind : str
        "comparison", "inspection", "diagnosis", "audit" or "recommendation".
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
            yield from (picture for picture in section.pictures() if picture.place != "page")
