"""Texts that fit into panels of a given size: no text covers another one or leaves the figure."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from initsk.displays._style import leave_room
from initsk.text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis, Tick
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

# A text becomes smaller down to this share of its size, and not below so many points.
_SHRINK = 0.75
_FEWEST_POINTS = 5.0
_SHORTEST = 8
# A y label that is written from left to right takes at most this share of the width.
_NAMES = 0.2
# Pixels between two texts; boxes of texts are a little larger than what is drawn.
_OVERLAP = 1.0
_EDGE = 0.5
_GAP = 4.0
# Shrunken axes keep at least this share of their width and height.
_KEPT = 0.4


def fit_texts(axes: Sequence["Axes"]) -> None:
    """Make texts of axes fit: wrap or shorten titles and labels, thin out ticks, and hide what is still covered."""
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    engine = figure.get_layout_engine()
    if not _lay_out(figure):
        # There may be room once the texts are short.
        _fit_labels(axes, figure)
        figure.set_layout_engine(engine)
        _lay_out(figure)
    _fit_labels(axes, figure)
    for axis, side in [*((ax.xaxis, 0) for ax in axes), *((ax.yaxis, 1) for ax in axes)]:
        _shrink_names(axis, side)
    if not figure.get_layout_engine():
        _stay_inside(axes, figure)
    _lay_out(figure)
    for ax in axes:
        _thin_out(ax.xaxis, 0)
        _thin_out(ax.yaxis, 1)
    _lay_out(figure)
    _hide_covered(axes, figure)


def _lay_out(figure: "Figure") -> bool:
    """Place all artists as drawing does; where there is no room for a layout, use none and return False."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        warnings.filterwarnings("error", "constrained_layout not applied")
        try:
            figure.draw_without_rendering()
        except UserWarning:
            figure.set_layout_engine("none")
            figure.draw_without_rendering()
            return False
    return True


def _fit_labels(axes: Sequence["Axes"], figure: "Figure") -> None:
    """Make titles and labels fit; y labels from left to right are of one size."""
    for ax in axes:
        _fit_titles(ax, axes, figure)
    level = [ax.yaxis.label for ax in axes if ax.yaxis.label.get_text() and not ax.yaxis.label.get_rotation()]
    for label in level:
        label.set_fontsize(min(other.get_fontsize() for other in level))


def _fit_titles(ax: "Axes", axes: Sequence["Axes"], figure: "Figure") -> None:
    box = ax.get_window_extent()
    left, right = _free(ax, axes, 0, figure.bbox.width)
    low, high = _free(ax, axes, 1, figure.bbox.height)
    centered = 2 * min(box.x0 + box.width / 2 - left, right - box.x0 - box.width / 2)
    height = 2 * min(box.y0 + box.height / 2 - low, high - box.y0 - box.height / 2)
    for text in (*_titles(ax), ax.xaxis.label):
        room = right - box.x0 if text.get_horizontalalignment() == "left" else centered
        _squeeze(text, room - _GAP, lambda extent: extent.width)
    label = ax.yaxis.label
    if label.get_rotation() and not _squeeze(label, box.height, lambda extent: extent.height, shorten=False):
        # From left to right, and right of the axes before.
        label.set(rotation=0, horizontalalignment="right", verticalalignment="center")
    if not label.get_rotation():
        _fill(label, min(_NAMES * figure.bbox.width, max(box.x0 - left, _NAMES * figure.bbox.width)), height)


def _titles(ax: "Axes") -> list["Text"]:
    from matplotlib.text import Text

    return [part for part in ax.get_children() if isinstance(part, Text) and part not in ax.texts]


def _free(ax: "Axes", axes: Sequence["Axes"], side: int, end: float) -> tuple[float, float]:
    """Return the range along x (0) or y (1) from the middle of a gap between panels to that of the next one."""
    own, others = ax.get_window_extent().extents, [other.get_window_extent().extents for other in axes]
    across = 1 - side
    beside = [box for box in others if box[across] < own[across + 2] and own[across] < box[across + 2]]
    before = [box[side + 2] for box in beside if box[side + 2] <= own[side]]
    after = [box[side] for box in beside if box[side] >= own[side + 2]]
    low = (max(before) + own[side]) / 2 if before else 0.0
    return low, (min(after) + own[side + 2]) / 2 if after else end


def _fill(text: "Text", width: float, height: float) -> None:
    """Write a text into so many pixels: in one line or more, smaller, and shortened where that does not suffice."""
    words = " ".join(text.get_text().split())
    size = float(text.get_fontsize())
    for points in np.linspace(size, min(size, _FEWEST_POINTS), 4):
        for n_lines in (1, 2, 3):
            text.set(text=fill(words, len(words) // n_lines + 2, break_long_words=False), fontsize=points)
            box = text.get_window_extent()
            if box.width <= width and box.height <= height:
                return
    while text.get_window_extent().width > width and len(words) > _SHORTEST:
        words = shortened(words, len(words) - 1)
        text.set_text(words)


def _edge(ax: "Axes", axes: Sequence["Axes"], side: int) -> float:
    """Return where the next axes at the left (0) or below (1) end; 0 without any."""
    own, others = ax.get_window_extent().extents, [other.get_window_extent().extents for other in axes]
    across = 1 - side
    beside = [box for box in others if box[across] < own[across + 2] and own[across] < box[across + 2]]
    return max((box[side + 2] + _GAP for box in beside if box[side + 2] <= own[side]), default=0.0)


def _squeeze(text: "Text", room: float, length: Callable[["Bbox"], float], *, shorten: bool = True) -> bool:
    """Wrap a text, make it smaller, wrap it once more, and shorten it, until it has this length in pixels.

    Return whether it has.
    """
    words = text.get_text()
    size = float(text.get_fontsize())

    def reach() -> float:
        return length(text.get_window_extent())

    if not words or reach() <= room:
        return True
    if "\n" not in words:
        text.set_text(_wrapped(words, 2))
    if reach() > room:
        text.set_fontsize(max(size * max(room / reach(), _SHRINK), min(size, _FEWEST_POINTS)))
    if reach() > room and " " in words:
        text.set_text(_wrapped(words, 2 if "\n" in words else 3))
    while shorten and reach() > room and len(words) > _SHORTEST:
        words = shortened(" ".join(text.get_text().split("\n")), max(len(words) - 2, _SHORTEST))
        text.set_text(words)
    if shorten and reach() > room:
        smaller = float(text.get_fontsize()) * room / reach()
        text.set_fontsize(max(smaller, min(size, _FEWEST_POINTS)))
    return reach() <= room


def _wrapped(words: str, n: int) -> str:
    """Return a text of which each line becomes `n` lines."""
    return "\n".join(fill(line, len(line) // n + 4, break_long_words=False) for line in words.split("\n"))


def _stay_inside(axes: Sequence["Axes"], figure: "Figure") -> None:
    """Shrink axes whose texts leave the figure, or whose labels at the left or below reach other axes."""
    for ax in axes:
        found = ax.get_tightbbox()
        if found is None:
            continue
        box = ax.get_window_extent()
        left, low = (_edge(ax, figure.axes, side) for side in (0, 1))
        over = {
            "left": left - found.x0, "bottom": low - found.y0,
            "right": found.x1 - figure.bbox.width, "top": found.y1 - figure.bbox.height,
        }  # fmt: skip
        most = {side: (1 - _KEPT) * (box.width if side in ("left", "right") else box.height) for side in over}
        needed = {side: min(pixels, most[side]) / figure.dpi + 0.02 for side, pixels in over.items() if pixels > 0}
        if needed:
            leave_room(ax, more=True, **needed)


def _shrink_names(axis: "Axis", side: int) -> None:
    """Make names along an axis smaller where they would touch; a name that is left out cannot be guessed."""
    from matplotlib.ticker import FixedFormatter

    labels = [tick.label1 for tick in _drawn_ticks(axis) if _is_shown(tick.label1)]
    if not isinstance(axis.get_major_formatter(), FixedFormatter) or not labels:
        return
    size = float(labels[0].get_fontsize())
    for points in np.linspace(size, min(size, _FEWEST_POINTS), 5):
        axis.set_tick_params(labelsize=float(points))
        boxes = [label.get_window_extent().extents for label in labels]
        if all(_apart(one, other, side) for one, other in pairwise(boxes)):
            return
    axis.set_tick_params(labelsize=size)


def _thin_out(axis: "Axis", side: int) -> None:
    """Label every second tick, or fewer, where labels would touch."""
    ticks = [tick for tick in _drawn_ticks(axis) if _is_shown(tick.label1)]
    boxes = [tick.label1.get_window_extent().extents for tick in ticks]
    for every in range(1, len(ticks) + 1):
        kept = boxes[::every]
        if all(_apart(one, other, side) for one, other in pairwise(kept)):
            break
    else:
        return
    if every > 1:
        for i, tick in enumerate(ticks):
            tick.label1.set_visible(i % every == 0)


def _apart(one: Any, other: Any, side: int) -> bool:
    return bool(one[side + 2] + _OVERLAP < other[side] or other[side + 2] + _OVERLAP < one[side])


def _hide_covered(axes: Sequence["Axes"], figure: "Figure") -> None:
    """Hide texts that others cover or that leave the figure; titles and legends are kept first."""
    kept = np.empty((0, 4))
    inside = figure.bbox.extents + np.array([-_EDGE, -_EDGE, _EDGE, _EDGE])
    for text in _texts(axes, figure):
        box = text.get_window_extent().extents
        near = (kept[:, 0] < box[2] - _OVERLAP) & (box[0] < kept[:, 2] - _OVERLAP)
        covered = near & (kept[:, 1] < box[3] - _OVERLAP) & (box[1] < kept[:, 3] - _OVERLAP)
        if covered.any() or (box[:2] < inside[:2]).any() or (box[2:] > inside[2:]).any():
            text.set_visible(False)
        else:
            kept = np.vstack([kept, box])


def _texts(axes: Sequence["Axes"], figure: "Figure") -> Iterable["Text"]:
    """Yield visible texts, those that matter most first."""
    legends = [*figure.legends, *(ax.get_legend() for ax in axes)]
    groups: list[Iterable[Text]] = [
        *(_titles(ax) for ax in axes),
        *(legend.get_texts() for legend in legends if legend is not None),
        *([ax.xaxis.label, ax.yaxis.label] for ax in axes),
        *(_tick_labels(ax) for ax in axes),
        *(ax.texts for ax in axes),
    ]
    yield from (text for group in groups for text in group if _is_shown(text))


def _tick_labels(ax: "Axes") -> list["Text"]:
    """Return the labels of the ticks of axes."""
    ticks = [*_drawn_ticks(ax.xaxis), *_drawn_ticks(ax.yaxis)]
    return [label for tick in ticks for label in (tick.label1, tick.label2)]


def _drawn_ticks(axis: "Axis") -> list["Tick"]:
    """Return the ticks that are within the limits."""
    low, high = sorted(axis.get_view_interval())
    margin = 1e-9 * (high - low)
    return [tick for tick in axis.get_major_ticks() if low - margin <= tick.get_loc() <= high + margin]


def _is_shown(text: "Text") -> bool:
    return text.get_visible() and bool(text.get_text())
