"""Layout of the picture of a network: boxes in layers from the top down, in columns side by side; lengths in inches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from initsk.displays._network_nodes import Node
from initsk.displays._texts import shortened

HEIGHT = 0.46
GAP = 0.2
#: Between nodes of one box.
SEAM = 0.03
# Between boxes of one row, where a line may pass.
_BESIDE = 0.3
#: Between the lines beside the boxes.
TRACK = 0.14
_CLEAR = 0.08
#: Around the picture, and between a frame and its boxes.
PAD = 0.09
_FRAME = 0.22
# Boxes move down if they would wait so many rows for their user.
_SLACK = 3
# A taller picture has several columns, for about this ratio of width and height.
_MAX_HEIGHT = 10.5
_RATIO = 1.3
# More lines between two columns are hard to follow.
_MAX_CROSSING = 2
# A layer does not join a wider box.
_MAX_WIDTH = 2.4
_NAME = 22


@dataclass
class Part:
    """A node in a box: its position in the network, its lines of text, and its width."""

    number: int
    label: str
    name: str
    shape: str
    width: float


@dataclass
class Box:
    """Nodes that follow one another and have no other connection, side by side."""

    parts: list[Part]
    block: int | None
    row: int = 0
    column: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        """Width of all parts."""
        return sum(part.width for part in self.parts) + SEAM * (len(self.parts) - 1)

    def places(self) -> Iterator[tuple[Part, float]]:
        """Yield the parts with the places of their left sides."""
        left = self.x - self.width / 2
        for part in self.parts:
            yield part, left
            left += part.width + SEAM


@dataclass(frozen=True)
class Edge:
    """A connection of two boxes."""

    start: int
    end: int
    is_shortcut: bool


@dataclass(frozen=True)
class Track:
    """A vertical line beside boxes: its side (1 is right), its place, and whether it avoids the rows of its ends."""

    side: int
    place: float
    starts_below: bool = False
    ends_above: bool = False


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
    boxes, box_of = _boxes(nodes, _parts(nodes, labels))
    edges = {
        Edge(box_of[source], box_of[number], node.shortcut == source)
        for number, node in enumerate(nodes)
        for source in node.inputs
        if box_of[source] != box_of[number] or node.shortcut == source
    }
    layout = Layout(boxes, sorted(edges, key=lambda edge: (edge.end, edge.start)))
    _set_rows(layout)
    _set_x(layout)
    _set_columns(layout)
    _set_y(layout)
    _place_columns(layout)
    return layout


def _parts(nodes: Sequence[Node], labels: Sequence[str]) -> list[Part]:
    names = [node.name.rpartition("*.")[2] if node.weight else "" for node in nodes]
    parts = []
    for number, (node, label, name) in enumerate(zip(nodes, labels, map(_end_of, names), strict=True)):
        text = shortened(" ".join(filter(None, [label, node.detail])), 30)
        shape = " x ".join(map(str, node.shape))
        width = max(0.075 * len(text), 0.055 * len(name), 0.055 * len(shape)) + 0.14
        parts.append(Part(number, text, name, shape, max(width, 0.34)))
    return parts


def _end_of(name: str) -> str:
    """Return the last parts of a name, as many as have room."""
    rest = name
    while len(rest) > _NAME and "." in rest:
        rest = rest.partition(".")[2]
    return shortened(rest if rest == name else f"…{rest}", _NAME)


def _boxes(nodes: Sequence[Node], parts: list[Part]) -> tuple[list[Box], list[int]]:
    """Put nodes into boxes: a node follows another one in its box if nothing else takes the other one's result."""
    users = [0] * len(nodes)
    for node in nodes:
        for source in node.inputs:
            users[source] += 1
    boxes: list[Box] = []
    box_of: list[int] = []
    for number, (node, part) in enumerate(zip(nodes, parts, strict=True)):
        place = _box_to_join(nodes, number, users, boxes, box_of)
        if place is None:
            place = len(boxes)
            boxes.append(Box([], node.block))
        elif nodes[boxes[place].parts[-1].number].shape == node.shape:
            part.shape = ""
            part.width = max(0.075 * len(part.label), 0.055 * len(part.name), 0.2) + 0.14
        boxes[place].parts.append(part)
        box_of.append(place)
    return boxes, box_of


def _box_to_join(
    nodes: Sequence[Node], number: int, users: list[int], boxes: list[Box], box_of: list[int]
) -> int | None:
    node = nodes[number]
    if len(node.inputs) != 1 or node.kind in ("input", "output", "attention", "pooling") or users[node.inputs[0]] > 1:
        return None
    (source,) = node.inputs
    box, before = boxes[box_of[source]], nodes[source]
    is_layer = node.kind not in ("normalization", "activation", "softmax")
    starts_with_norm = all(nodes[part.number].kind in ("normalization", "activation") for part in box.parts)
    fits = before.block == node.block and before.kind not in ("input", "parameter", "constant")
    if not fits or (is_layer and (not starts_with_norm or box.width > _MAX_WIDTH)):
        return None
    return box_of[source]


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
    height, width = n_rows * (HEIGHT + GAP), max(box.x for box in layout.boxes) - min(box.x for box in layout.boxes) + 3
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
            found = [e for e in layout.edges if e.end == number and e.start != number]
            near = [boxes[e.start].x for e in found if not e.is_shortcut] or [boxes[e.start].x for e in found]
            boxes[number].x = sum(near) / len(near) if near else 0.0
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
        y -= _FRAME * (row in firsts) + PAD * (row in ends) + HEIGHT / 2
        heights[row] = y
        y -= HEIGHT / 2 + GAP
    for box in layout.boxes:
        box.y = heights[box.row]
    # Lines between columns run above and below the boxes.
    layout.margin = PAD + GAP * (len(set(column.values())) > 1)
    layout.height = HEIGHT / 2 - min(heights.values()) + 2 * layout.margin


def _place_columns(layout: Layout) -> None:
    """Give lines beside the boxes their tracks, and put the columns side by side."""
    right = 0.0
    for column in range(max(box.column for box in layout.boxes) + 1):
        inside = [box for box in layout.boxes if box.column == column]
        low, high = min(box.x - box.width / 2 for box in inside), max(box.x + box.width / 2 for box in inside)
        tracks = _tracks(layout, column)
        used = [low - 0.1, high + 0.1, *(track.place for track in tracks.values())]
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
        layout.frames[block] = min(sides) - PAD, min(heights) - PAD, max(sides) + PAD, max(heights) + PAD


def _tracks(layout: Layout, column: int) -> dict[int, Track]:
    """Return the places of vertical lines: shortcuts at the right side, other long connections at the left side."""
    boxes = layout.boxes
    found: dict[int, Track] = {}
    for is_shortcut, side in ((True, 1), (False, -1)):
        spans = []
        for number, edge in enumerate(layout.edges):
            start, end = boxes[edge.start], boxes[edge.end]
            inside = start.column == end.column == column and edge.is_shortcut == is_shortcut
            if inside and (is_shortcut or not _is_free(boxes, start, end)):
                spans.append((end.row - start.row, start.row, end.row, number))
        placed: list[tuple[float, int, int]] = []
        for _, first, last, number in sorted(spans):
            start, end = boxes[layout.edges[number].start], boxes[layout.edges[number].end]
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
        return far_from_lines and all(abs(side * box.x - place) >= box.width / 2 + _CLEAR for box in between)

    def is_blocked(one: Box, place: float) -> bool:
        row = (box for box in beside if box.row == one.row and side * box.x > side * one.x)
        return any(side * box.x - box.width / 2 < place + _CLEAR for box in row)

    nearest = max(outer(start), outer(end)) + TRACK
    places = sorted(outer(box) + TRACK * step for box in beside for step in range(1, len(lines) + 2))
    found = [Track(side, place) for place in places if place >= nearest - 1e-9 and is_free(place)]
    found = [replace(t, starts_below=is_blocked(start, t.place), ends_above=is_blocked(end, t.place)) for t in found]
    last = Track(side, places[-1] + TRACK, is_blocked(start, places[-1]), is_blocked(end, places[-1]))
    return min(found, key=lambda track: track.starts_below + track.ends_above, default=last)


def _is_free(boxes: list[Box], start: Box, end: Box) -> bool:
    """Return whether no box stands below a box, in the rows before another one."""
    between = (box for box in boxes if start.row < box.row < end.row)
    return all(abs(box.x - start.x) >= box.width / 2 + GAP / 2 for box in between)
