"""Short texts: names that fit, shares and numbers."""

import io
import re
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.language import Language, get_language, message

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def shortened(text: str, most: int, tail: int | None = None) -> str:
    """Return printable text of at most `most` characters, with an ellipsis in its middle where some are left out.

    Both ends stay, since names of layers often differ in the last characters only; `tail` characters of
    the end, half by default.

    Examples
    --------
    >>> shortened("encoder.layers.11.mlp", 13)
    'encode…11.mlp'
    """
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2 if tail is None else tail
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def distinct(names: Sequence[str], most: int) -> list[str]:
    """Shorten names so that different ones still differ, by as much of their ends as that needs.

    Where nothing tells all of them apart, as many as possible.

    Examples
    --------
    >>> distinct(["encoder.layers.0.linear1", "encoder.layers.1.linear1"], 16)
    ['encode…0.linear1', 'encode…1.linear1']
    """
    half, whole = (most - 1) // 2, most - 1
    # A beginning of one or two letters says nothing.
    tails = [*range(half, whole - 2), whole, *range(half - 1, -1, -1)]
    candidates = ([shortened(name, most, tail) for name in names] for tail in tails)
    n_names, best = len(set(names)), list[str]()
    for candidate in candidates:
        if len(set(candidate)) > len(set(best)):
            best = candidate
        if len(set(best)) == n_names:
            break
    return best


def text_width(text: str, size: float) -> float:
    """Return the inches that text takes at this size of the font, in points."""
    from matplotlib.textpath import TextPath

    # A dollar sign would begin a formula.
    path = TextPath((0, 0), text.replace("$", "S"), size=size)
    return float(path.get_extents().x1) / 72 if len(path.vertices) else 0.0


def percent(share: float, translate: Language | None = None) -> str:
    """Return a share in whole percent; 0% and 100% are said of none and all only.

    Examples
    --------
    >>> [percent(share) for share in (0, 0.001, 0.42, 0.999, 1)]
    ['0%', '<1%', '42%', '>99%', '100%']
    """
    if not isfinite(share):
        return "-"
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else (translate or get_language("en")).percent(share)


def number(value: float, translate: Language | None = None) -> str:
    """Return two significant digits.

    Examples
    --------
    >>> [number(value) for value in (0.0123, -1.5, 123456.0, float("nan"))]
    ['0.012', '-1.5', '1.2e+05', '-']
    """
    if not isfinite(value):
        return "-"
    return f"{value:.0f}" if 10 <= abs(value) < 1000 else (translate or get_language("en")).short(value, 2)


def order_of(column: pd.Series) -> list[str]:
    """Return all initializers in the order in which they are coloured: a categorical's own, or of first sight.

    Examples
    --------
    >>> order_of(pd.Series(pd.Categorical(["b"], categories=["a", "b"]))), order_of(pd.Series(["b", "a", "b"]))
    (['a', 'b'], ['b', 'a'])
    """
    dtype: Any = column.dtype
    values = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else column.unique()
    return [str(value) for value in values]


def labels_in_order(column: pd.Series) -> list[str]:
    """Return those initializers that are there, in the same order."""
    there = set(column.astype(str))
    return [label for label in order_of(column) if label in there]


# Okabe and Ito's palette without yellow, which vanishes on white: told apart by colour-blind readers.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6D31", "#7F7F7F")
POSITION_COLOURS = {"activation": PALETTE[0], "pre_activation": PALETTE[1], "output": PALETTE[2]}
POSITION_NAMES = {
    "pre_activation": message("pre-activation"),
    "activation": message("activation"),
    "output": message("output"),
}
# Numbers stand in these attributes; a hundredth of a point is less than anybody sees.
_NUMBERS = re.compile(r' (?:d|x|y|x1|x2|y1|y2|points|transform|width|height)="[^"]*"')
_DIGITS = re.compile(r"(\.\d\d)\d+")
LINES = ("-", "--", "-.", ":")
_MIN_SCALE = 0.85
# In SVG this becomes the page's own text colour, so that pictures follow light and dark.
INK = "#1b1f24"
# What a page has no use for: comments, line ends, fonts and styles (it has its own), rotations by nothing, and ids
# that repeat in every picture and that nothing refers to.
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


def colour_of(index: int) -> str:
    """Return the colour of the initializer at this position."""
    return PALETTE[index % len(PALETTE)]


def line_of(index: int) -> str:
    """Return the line style of the initializer at this position; with the colour, 32 tell apart."""
    return LINES[(index + index // len(PALETTE)) % len(LINES)]


def panels(
    figure: "Figure",
    n_rows: int,
    n_columns: int,
    *,
    width: float,
    height: float,
    gap_x: float = 0.3,
    gap_y: float = 0.35,
    left: float = 0.85,
    right: float = 0.15,
    legend: float = 0,
    ratios: Sequence[float] | None = None,
    stack: int | None = None,
    gap_stacks: float = 0,
) -> Any:
    """Lay out a grid of axes of `width` by `height` inches, with `legend` inches free below.

    Gaps and margins are inches too; `ratios` of the rows' heights leave their mean at `height`.
    Rows that belong together, `stack` of them, are `gap_y` apart, and `gap_stacks` from the next such rows.
    Margins are fixed: matplotlib's layout engines draw every figure twice.
    """
    top, bottom = 0.35, 0.5 + legend
    inner_width = n_columns * width + (n_columns - 1) * gap_x
    stack = stack or n_rows
    stack_height, n_stacks = stack * height + (stack - 1) * gap_y, n_rows // stack
    inner_height = n_stacks * stack_height + (n_stacks - 1) * gap_stacks
    full_width, full_height = inner_width + left + right, inner_height + top + bottom
    figure.set_size_inches(full_width, full_height)
    stacks = figure.add_gridspec(
        n_stacks,
        1,
        left=left / full_width,
        right=1 - right / full_width,
        top=1 - top / full_height,
        bottom=bottom / full_height,
        hspace=gap_stacks / stack_height,
    )
    gaps = {"wspace": gap_x / width, "hspace": gap_y / height}
    grids = [stacks[i].subgridspec(stack, n_columns, height_ratios=ratios, **gaps) for i in range(n_stacks)]
    return np.concatenate([grid.subplots(squeeze=False) for grid in grids])


def label_left(axes: "Axes", words: str, inches: float) -> None:
    """Label the y axis so many inches to its left, whatever its ticks, so that labels of several axes align."""
    width = axes.bbox.width / axes.figure.dpi
    axes.set_ylabel(words, fontsize=9, color=INK)
    axes.yaxis.set_label_coords(-inches / width, 0.5)


def quiet(axes: "Axes") -> None:
    """Draw the axes in ink, without top and right spines, over a faint grid."""
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    axes.tick_params(which="both", colors=INK, labelsize=9)
    axes.grid(True, alpha=0.25, linewidth=0.5, color="#808080")
    axes.set_axisbelow(True)


def legend_columns(labels: Sequence[str], inches: float) -> int:
    """Return how many columns fit into so many inches, with about 10 characters for a line's sample."""
    longest = max(map(len, labels), default=0)
    return max(1, min(len(labels), int(inches * 13) // (longest + 10)))


def legend_below(figure: "Figure", handles: Sequence[Any], labels: Sequence[str], columns: int) -> None:
    """Put a legend below the axes, where it hides no data; labels appear as they are."""
    if not handles:
        return
    legend = figure.legend(
        handles, labels, loc="lower center", ncols=columns, frameon=False,
        labelcolor=INK, fontsize=9, handlelength=2.6,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def figure_png(figure: "Figure") -> bytes:
    """Render as PNG on white; equal figures give equal bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, facecolor="white", metadata={"Software": None})
    return stream.getvalue()


def figure_svg(figure: "Figure", name: str) -> str:
    """Render as an SVG file on white; equal figures give equal text.

    Parameters
    ----------
    figure : Figure
        The picture.
    name : str
        Salt of the element ids.
    """
    return _svg(figure, name, facecolor="white")


def figure_inline(figure: "Figure", name: str) -> str:
    """Render as an SVG element of a page, that takes its text colour from there.

    Parameters
    ----------
    figure : Figure
        The picture.
    name : str
        Salt of the element ids, so that several pictures live on one page.
    """
    svg = _svg(figure, name, transparent=True)
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    # Where the page is narrower than the picture, it shrinks this far; then the page scrolls it sideways.
    least = round(_MIN_SCALE * figure.get_figwidth() * 72)
    svg = svg.replace("<svg", f'<svg style="min-width:{least}pt"', 1)
    for pattern, instead in _SHORTER:
        svg = pattern.sub(instead, svg)
    return svg


def _svg(figure: "Figure", name: str, **how: Any) -> str:
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, **how)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", stream.getvalue(), flags=re.DOTALL)
    return _NUMBERS.sub(lambda found: _DIGITS.sub(r"\1", found[0]), svg)
