"""Rendering figures to bytes: equal figures give equal files."""

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from initsk.displays._settings import INK, chosen, report_style
from initsk.utils.global_state import GLOBAL_STATE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The metadata would hold the date and matplotlib's version.
_OPTIONS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 110, "metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"dpi": 200, "metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
FORMATS = tuple(_OPTIONS)
# Texts stay texts. TrueType fonts are embedded: journals refuse the Type 3 fonts that are matplotlib's default.
_FONTS: dict[str, Any] = {"svg.fonttype": "none", "pdf.fonttype": 42, "text.usetex": False}
# Attributes that hold coordinates: a hundredth of a point is invisible.
_NUMBERS = re.compile(r' (?:d|x|y|x1|x2|y1|y2|points|transform|width|height)="[^"]*"')
_DIGITS = re.compile(r"(\.\d\d)\d+")
_MIN_SCALE = 0.85
_TEXT = re.compile(r"(?<=>)[^<>]*(?=</text>)")
# What a page does not need: comments, line ends, fonts and styles (it has its own), rotations by zero, and ids
# that repeat in every picture and are not referred to.
_UNUSED_IDS = r"figure|axes|patch|text|xtick|ytick|line2d|matplotlib\.axis|legend|\w+Collection"
_SHORTER = [
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r">\s+<"), "><"),
    (re.compile(r" ?\n"), ""),
    (re.compile(r" font-family: [^;\"]*;"), ""),
    (re.compile(r' transform="rotate\(-0 [^"]*"'), ""),
    (re.compile(rf' id="(?:{_UNUSED_IDS})_\d+"'), ""),
    (re.compile(r' id="(layer-\d+)"'), r' data-part="\1"'),
    (re.compile(r"<style.*?</style>"), ""),
    (re.compile(r'<path d="[^"]*" style="fill: none"/>'), ""),
    (re.compile(r' clip-path="[^"]*" style="fill: none; stroke: #808080; [^"]*"'), ' class="grid"'),
    (re.compile(r' style="(?:fill: currentColor; )?stroke: currentColor; stroke-width: 0.8"'), ' class="tick"'),
    (re.compile(r"<g><g>(<path[^>]*/>)</g></g>"), r"<g>\1</g>"),
    (re.compile(r"<g></g>|<defs></defs>"), ""),
]


def render(figure: "Figure", kind: str, name: str = "", **kwargs: Any) -> bytes:
    """Render a figure, without a change of matplotlib's settings and of the filters of warnings.

    The fonts of matplotlib lack many scripts: a letter without a glyph becomes a box in PNG, and stays text in SVG.

    Parameters
    ----------
    figure : Figure
    kind : {"png", "svg", "pdf"}
    name : str, default=""
        Salt of the element ids of SVG, so that several pictures can share a page.
    **kwargs
        Passed to `Figure.savefig`.
    """
    import matplotlib

    stream = io.BytesIO()
    # Threads share the settings and the filters.
    with GLOBAL_STATE.held(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        settings: Any = {**_FONTS, "svg.hashsalt": name}
        with matplotlib.rc_context(settings):
            figure.savefig(stream, format=kind, **{**_options(kind), **kwargs})
    if kind != "svg":
        return stream.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", stream.getvalue().decode(), flags=re.DOTALL)
    return _beside_texts(svg, lambda tags: _NUMBERS.sub(lambda found: _DIGITS.sub(r"\1", found[0]), tags)).encode()


def _options(kind: str) -> dict[str, Any]:
    """Return the options of a format; a resolution that the user chose replaces that of the displays."""
    options = dict(_OPTIONS[kind])
    if chosen("savefig.dpi", None) is not None or chosen("figure.dpi", None) is not None:
        options.pop("dpi", None)
    return options


def _beside_texts(svg: str, change: Callable[[str], str]) -> str:
    """Return a picture with changed tags; a text in it, such as a name, may look like a tag's content."""
    texts = iter(_TEXT.findall(svg))
    return re.sub("(?=</text>)", lambda _: next(texts), change(_TEXT.sub("", svg)))


def figure_png(figure: "Figure") -> bytes:
    """Return a figure as PNG; equal figures give equal bytes."""
    with report_style():
        return render(figure, "png")


def figure_svg(figure: "Figure", name: str) -> str:
    """Return a figure as the text of an SVG file; `name` is the salt of the element ids."""
    with report_style():
        return render(figure, "svg", name).decode()


def figure_file(figure: "Figure", kind: str, name: str) -> bytes:
    """Return a figure as a file of one of the `FORMATS`, in the style of reports; equal figures give equal bytes."""
    with report_style():
        return render(figure, kind, name)


def figure_inline(figure: "Figure", name: str) -> str:
    """Return a figure as an SVG element of a page, in the page's text color; `name` is the salt of the element ids."""
    with report_style():
        svg = render(figure, "svg", name, facecolor="none", transparent=True).decode()
    # Where the page is narrower than the picture, the picture shrinks this far; then the page scrolls it sideways.
    width = round(_MIN_SCALE * figure.get_figwidth() * 72)
    svg = svg[svg.index("<svg") :].replace("<svg", f'<svg style="min-width:{width}pt"', 1)
    return _beside_texts(svg, _shorter)


def _shorter(tags: str) -> str:
    tags = tags.replace(INK, "currentColor")
    for pattern, replacement in _SHORTER:
        tags = pattern.sub(replacement, tags)
    return tags
