"""Lines beside the boxes in the picture of a network: where they run, away from boxes and from one another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from initsk.displays._network_boxes import Box, Edge

#: Between two lines, and between boxes and lines.
TRACK = 0.14
#: Around boxes.
CLEAR = 0.1


@dataclass(frozen=True)
class Track:
    """A vertical line beside boxes: its side (1 is right), its place, and whether it avoids the rows of its ends."""

    side: int
    place: float
    starts_below: bool = False
    ends_above: bool = False


def tracks_of(boxes: list[Box], edges: Sequence[Edge], column: int) -> dict[int, Track]:
    """Return the vertical lines of a column, by position of the edge.

    Shortcuts run at the right side, and other connections at the left side if boxes are in the way.
    """
    found: dict[int, Track] = {}
    for is_shortcut, side in ((True, 1), (False, -1)):
        spans = []
        for number, edge in enumerate(edges):
            start, end = boxes[edge.start], boxes[edge.end]
            inside = start.column == end.column == column and edge.is_shortcut == is_shortcut
            if inside and (is_shortcut or not _is_free(boxes, start, end)):
                spans.append((end.row - start.row, start.row, end.row, number))
        placed: list[tuple[float, int, int]] = []
        for _, first, last, number in sorted(spans):
            start, end = boxes[edges[number].start], boxes[edges[number].end]
            lines = [place for place, a, b in placed if a < last and b > first]
            beside = [box for box in boxes if box.column == column and first <= box.row <= last]
            track = _place_beside(beside, start, end, side, lines)
            placed.append((track.place, first, last))
            found[number] = replace(track, place=side * track.place)
    return found


def _place_beside(beside: list[Box], start: Box, end: Box, side: int, lines: list[float]) -> Track:
    """Return the closest line from one box to another at their sides, away from boxes and lines.

    An end where another box of the row is in the way is reached above or below the row.
    """

    def outer(box: Box) -> float:
        return side * box.x + box.width / 2

    def is_free(place: float) -> bool:
        between = (box for box in beside if start.row < box.row < end.row)
        far_from_lines = all(abs(place - line) >= TRACK - 1e-9 for line in lines)
        return far_from_lines and all(abs(side * box.x - place) >= box.width / 2 + CLEAR for box in between)

    def is_blocked(one: Box, place: float) -> bool:
        row = (box for box in beside if box.row == one.row and side * box.x > side * one.x)
        return any(side * box.x - box.width / 2 < place + CLEAR for box in row)

    nearest = max(outer(start), outer(end)) + TRACK
    places = sorted(outer(box) + TRACK * step for box in beside for step in range(1, len(lines) + 2))
    found = [Track(side, place) for place in places if place >= nearest - 1e-9 and is_free(place)]
    found = [replace(t, starts_below=is_blocked(start, t.place), ends_above=is_blocked(end, t.place)) for t in found]
    last = Track(side, places[-1] + TRACK, is_blocked(start, places[-1]), is_blocked(end, places[-1]))
    return min(found, key=lambda track: track.starts_below + track.ends_above, default=last)


def _is_free(boxes: list[Box], start: Box, end: Box) -> bool:
    """Return whether no box stands below a box, in the rows before another one."""
    between = (box for box in boxes if start.row < box.row < end.row)
    return all(abs(box.x - start.x) >= box.width / 2 + CLEAR for box in between)
