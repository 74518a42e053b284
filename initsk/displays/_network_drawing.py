"""Nodes, connections and frames of the picture of a network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from initsk.displays._network_boxes import HEIGHT, Box, Part
from initsk.displays._network_layout import GAP, Layout
from initsk.displays._network_lines import Track
from initsk.displays._network_nodes import Node
from initsk.displays._settings import ink
from initsk.displays._style import sample
from initsk.language import translate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Color of lines that are no shortcut, and of nodes without color; visible on white and on dark pages.
EDGE = "#808080"
#: Width of the line of a shortcut.
SHORTCUT = 1.8
_ROUNDING = {"activation": 0.2, "normalization": 0.12}
_CORNER = 0.07
# Shortcuts leave and reach the side of a box at different heights.
_OFFSET = 0.1
_Point = tuple[float, float]


def draw_node(ax: "Axes", part: Part, x: float, y: float, kind: str, scale: float, style: dict[str, Any]) -> None:
    """Draw a node from its left side on: activation functions are round, normalizations half as much."""
    from matplotlib.patches import FancyBboxPatch

    shape = f"round,pad=0,rounding_size={_ROUNDING.get(kind, 0.03)}"
    patch = FancyBboxPatch((x, y - HEIGHT / 2), part.width, HEIGHT, boxstyle=shape, zorder=3)
    patch.set(**{**style, "linewidth": style["linewidth"] * scale})
    ax.add_patch(patch)
    lines = [(part.label, 8.0), (part.name, 6.5), (part.shape, 6.5)]
    shown = [(text, size) for text, size in lines if text]
    total = sum(size for _, size in shown) * 1.25 / 72
    top = y + total / 2
    for text, size in shown:
        height = size * 1.25 / 72
        ax.text(
            x + part.width / 2, top - height / 2, text, fontsize=size * scale, color=ink(), ha="center",
            va="center", zorder=4, parse_math=False,
        )  # fmt: skip
        top -= height


def draw_frames(ax: "Axes", layout: Layout, nodes: Sequence[Node], scale: float) -> None:
    """Draw a frame around each folded block, with the number of its copies."""
    from matplotlib.patches import Rectangle

    for block, (left, low, right, high) in layout.frames.items():
        members = [node for node in nodes if node.block == block]
        frame = Rectangle((left, low), right - left, high - low, fill=False, zorder=0.5)
        frame.set(edgecolor=EDGE, linestyle=(0, (4, 3)), linewidth=0.9 * scale)
        ax.add_patch(frame)
        title = translate("x {n}", n=members[0].n_repeats)
        style: dict[str, Any] = {"fontsize": 9 * scale, "color": ink(), "ha": "left", "va": "bottom", "weight": "bold"}
        ax.text(left, high + 0.02, title, **style)


def draw_edges(ax: "Axes", layout: Layout, scale: float) -> None:
    """Draw the connections, with an arrow at the end of each; shortcuts are thick and run at the right side."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    for number, edge in enumerate(layout.edges):
        start, end = layout.boxes[edge.start], layout.boxes[edge.end]
        if number in layout.tracks:
            points, codes, marker = _beside(start, end, layout.tracks[number])
        elif start.column != end.column:
            points, codes, marker = _to_next_column(start, end, layout.gaps[end.column])
        else:
            points, codes, marker = _down(start, end)
        color, width, size = (ink(), SHORTCUT, 5.0) if edge.is_shortcut else (EDGE, 0.9, 4.0)
        path = PathPatch(Path(points, codes), fill=False, edgecolor=color, linewidth=width * scale, zorder=1)
        path.set_zorder(2 if edge.is_shortcut else 1)
        ax.add_patch(path)
        tip = sample(color=color, marker=marker, markersize=size * scale, markeredgewidth=0, linestyle="none", zorder=2)
        tip.set_data([points[-1][0]], [points[-1][1]])
        ax.add_line(tip)


def _down(start: Box, end: Box) -> tuple[list[_Point], list[int], str]:
    """Return a curve from the lower side of a box to the upper side of another one."""
    top, bottom = start.y - HEIGHT / 2, end.y + HEIGHT / 2 + 0.03
    begin = min(top, bottom + GAP) if end.row - start.row > 1 else top
    middle = (begin + bottom) / 2
    points = [(start.x, top), (start.x, begin), (start.x, middle), (end.x, middle), (end.x, bottom)]
    return points, [1, 2, 4, 4, 4], "v"


def _beside(start: Box, end: Box, track: Track) -> tuple[list[_Point], list[int], str]:
    """Return a line that runs beside the boxes; it leaves and reaches them at their sides, or between the rows."""
    side, x = track.side, track.place
    if track.starts_below:
        low = start.y - (HEIGHT + GAP) / 2
        corners = [(start.x, start.y - HEIGHT / 2), (start.x, low), (x, low)]
    else:
        first = start.y - _OFFSET
        corners = [(start.x + side * start.width / 2, first), (x, first)]
    if track.ends_above:
        return *_rounded([*corners, *_from_above(end, x)]), "v"
    last = end.y + _OFFSET
    corners += [(x, last), (end.x + side * (end.width / 2 + 0.03), last)]
    return *_rounded(corners), "<" if side > 0 else ">"


def _to_next_column(start: Box, end: Box, gap: float) -> tuple[list[_Point], list[int], str]:
    """Return a line between the rows and between the columns."""
    low = start.y - (HEIGHT + GAP) / 2
    corners = [(start.x, start.y - HEIGHT / 2), (start.x, low), (gap, low), *_from_above(end, gap)]
    return *_rounded(corners), "v"


def _from_above(end: Box, x: float) -> list[_Point]:
    """Return the corners of a line from a place beside a box to its upper side."""
    high = end.y + HEIGHT / 2 + 0.7 * GAP
    return [(x, high), (end.x, high), (end.x, end.y + HEIGHT / 2 + 0.03)]


def _rounded(corners: Sequence[_Point]) -> tuple[list[_Point], list[int]]:
    """Return the points and codes of a path through corners, which become round."""
    points, codes = [corners[0]], [1]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        points += [_toward(corner, before), corner, _toward(corner, after)]
        codes += [2, 3, 3]
    return [*points, corners[-1]], [*codes, 2]


def _toward(corner: _Point, other: _Point) -> _Point:
    """Return the point where the round part of a corner begins."""
    x, y = other[0] - corner[0], other[1] - corner[1]
    length = (x * x + y * y) ** 0.5
    share = min(_CORNER / length, 0.5) if length else 0.0
    return corner[0] + share * x, corner[1] + share * y
