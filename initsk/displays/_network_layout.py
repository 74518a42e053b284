"""Layout of the picture of a network: boxes in rows from the top down, in columns side by side; lengths in inches."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from initsk.displays._network_boxes import HEIGHT, Box, Edge, boxes_of
from initsk.displays._network_lines import CLEAR, Track, tracks_of
from initsk.displays._network_nodes import Node

#: Between rows.
GAP = 0.2
# Between boxes of one row, where a line may pass.
_BESIDE = 0.3
# Around the picture, and between a frame and its boxes.
_PAD = 0.09
_TITLE = 0.22
# Boxes move down if they would wait so many rows for their user.
_SLACK = 3
# A taller picture has several columns, for about this ratio of width and height.
_MAX_HEIGHT = 10.5
_RATIO = 1.3
# More lines between two columns are hard to follow.
_MAX_CROSSING = 2


@dataclass
class Layout:
    """Boxes, their connections, and the size of the picture.

    Attributes
    ----------
    boxes : list of Box
        With the places of their centers.
    edges : list of Edge
    tracks : dict of int to Track
        The edges that run beside the boxes, by position.
    frames : dict of int to (float, float, float, float)
        For each folded block the left, lower, right and upper side of its frame.
    gaps : dict of int to float
        For each column the place of a vertical line at its left side.
    width, height, margin : float
        Of the picture; the margin is above and below the boxes.
    """

    boxes: list[Box]
    edges: list[Edge]
    tracks: dict[int, Track] = field(default_factory=dict)
    frames: dict[int, tuple[float, float, float, float]] = field(default_factory=dict)
    gaps: dict[int, float] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0
    margin: float = 0.0


def arrange(nodes: Sequence[Node], labels: Sequence[str]) -> Layout:
    """Return the layout of nodes with these labels."""
    layout = Layout(*boxes_of(nodes, labels))
    _set_rows(layout)
    _set_x(layout)
    _set_columns(layout)
    _set_y(layout)
    _place_columns(layout)
    return layout


def _set_rows(layout: Layout) -> None:
    """Put each box below those that it takes from; boxes that are needed much later stand above their first user."""
    boxes = layout.boxes
    users: list[list[int]] = [[] for _ in boxes]
    for edge in layout.edges:
        boxes[edge.end].row = max(boxes[edge.end].row, boxes[edge.start].row + 1)
        users[edge.start].append(edge.end)
    fed = {edge.end for edge in layout.edges}
    for number in range(len(boxes) - 2, 0, -1):
        latest = min(boxes[user].row for user in users[number]) - 1 if users[number] else 0
        if number not in fed or latest - boxes[number].row > _SLACK:
            boxes[number].row = max(latest, 0)


def _set_columns(layout: Layout) -> None:
    """Divide many rows into columns where few lines cross, and not within a folded block."""
    n_rows = max(box.row for box in layout.boxes) + 1
    sides = [box.x + side * box.width / 2 for box in layout.boxes for side in (-1, 1)]
    height, width = n_rows * (HEIGHT + GAP), max(sides) - min(sides)
    n_columns = round((_RATIO * height / width) ** 0.5) if height > _MAX_HEIGHT else 1
    crossing: list[set[tuple[int, bool]]] = [set() for _ in range(n_rows)]
    for edge in layout.edges:
        for row in range(layout.boxes[edge.start].row + 1, layout.boxes[edge.end].row + 1):
            crossing[row].add((edge.start, edge.is_shortcut))
    within = {row for rows in _rows_of_blocks(layout.boxes).values() for row in range(min(rows) + 1, max(rows) + 1)}
    breaks: list[int] = []
    for column in range(1, n_columns):
        wanted, first = round(column * n_rows / n_columns), max([3, *(row + 3 for row in breaks)])
        window = set(range(max(first, wanted - 5), min(wanted + 6, n_rows - 1))) - within
        best = min(window, key=lambda row: (len(crossing[row]), abs(row - wanted)), default=None)
        if best is not None and len(crossing[best]) <= _MAX_CROSSING:
            breaks.append(best)
    for box in layout.boxes:
        box.column = sum(row <= box.row for row in breaks)


def _rows_of_blocks(boxes: list[Box]) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for box in boxes:
        if box.block is not None:
            rows.setdefault(box.block, []).append(box.row)
    return rows


def _set_x(layout: Layout) -> None:
    """Put boxes below those that they take from; the longest path stays straight, and others stand beside it."""
    boxes = layout.boxes
    rest = [0] * len(boxes)
    for edge in reversed(layout.edges):
        rest[edge.start] = max(rest[edge.start], rest[edge.end] + 1)
    for row in range(max(box.row for box in boxes) + 1):
        numbers = [number for number, box in enumerate(boxes) if box.row == row]
        for number in numbers:
            found = [edge for edge in layout.edges if edge.end == number]
            near = [edge for edge in found if not edge.is_shortcut] or found
            boxes[number].x = sum(boxes[edge.start].x for edge in near) / max(len(near), 1)
        numbers.sort(key=lambda number: (boxes[number].x, -rest[number]))
        _spread([boxes[number] for number in numbers], [rest[number] for number in numbers])
    for block in _rows_of_blocks(boxes):
        _clear_frame(boxes, [box for box in boxes if box.block == block])


def _clear_frame(boxes: list[Box], members: list[Box]) -> None:
    """Move other boxes at the right side of a folded block out of its frame."""
    limit = max(box.x + box.width / 2 for box in members) + _BESIDE
    places = {box.row: box.x for box in sorted(members, key=lambda box: box.x)}
    for box in boxes:
        if box.block != members[0].block and box.x >= places.get(box.row, box.x + 1):
            box.x = max(box.x, limit + box.width / 2)


def _spread(boxes: list[Box], rest: list[int]) -> None:
    """Move boxes of one row apart. The one with the longest way to go stays; equal ones share the move."""
    wanted = [box.x for box in boxes]
    for left, right in pairwise(boxes):
        right.x = max(right.x, left.x + (left.width + right.width) / 2 + _BESIDE)
    if rest.count(max(rest)) == 1:
        move = wanted[rest.index(max(rest))] - boxes[rest.index(max(rest))].x
    else:
        move = sum(x - box.x for x, box in zip(wanted, boxes, strict=True)) / len(boxes)
    for box in boxes:
        box.x += move


def _set_y(layout: Layout) -> None:
    """Set the heights, with room for the titles of frames."""
    firsts = {min(rows) for rows in _rows_of_blocks(layout.boxes).values()}
    ends = {max(rows) + 1 for rows in _rows_of_blocks(layout.boxes).values()}
    n_rows = max(box.row for box in layout.boxes) + 1
    column = {box.row: box.column for box in layout.boxes}
    y, heights = 0.0, {}
    for row in range(n_rows):
        if row and column[row] != column[row - 1]:
            y = 0.0
        y -= _TITLE * (row in firsts) + _PAD * (row in ends) + HEIGHT / 2
        heights[row] = y
        y -= HEIGHT / 2 + GAP
    for box in layout.boxes:
        box.y = heights[box.row]
    # Lines between columns run above and below the boxes.
    layout.margin = _PAD + GAP * (len(set(column.values())) > 1)
    layout.height = HEIGHT / 2 - min(heights.values()) + 2 * layout.margin


def _place_columns(layout: Layout) -> None:
    """Give lines beside the boxes their tracks, and put the columns side by side."""
    right = 0.0
    for column in range(max(box.column for box in layout.boxes) + 1):
        inside = [box for box in layout.boxes if box.column == column]
        low, high = min(box.x - box.width / 2 for box in inside), max(box.x + box.width / 2 for box in inside)
        tracks = tracks_of(layout.boxes, layout.edges, column)
        used = [low - CLEAR, high + CLEAR, *(track.place for track in tracks.values())]
        move = right + GAP - min(used)
        for box in inside:
            box.x += move
        layout.tracks |= {number: replace(track, place=track.place + move) for number, track in tracks.items()}
        # A line to the next column runs between the two.
        layout.gaps[column] = right
        right = max(used) + move + 2 * GAP
    layout.width = right - GAP
    for box in layout.boxes:
        box.y += layout.height - layout.margin
    for block in _rows_of_blocks(layout.boxes):
        members = [box for box in layout.boxes if box.block == block]
        sides = [box.x + side * box.width / 2 for box in members for side in (-1, 1)]
        heights = [box.y + side * HEIGHT / 2 for box in members for side in (-1, 1)]
        layout.frames[block] = min(sides) - _PAD, min(heights) - _PAD, max(sides) + _PAD, max(heights) + _PAD
