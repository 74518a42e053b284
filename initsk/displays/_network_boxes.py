"""Boxes of the picture of a network: nodes that follow one another stand side by side; lengths in inches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from initsk.displays._network_nodes import Node
from initsk.text import shortened

HEIGHT = 0.46
# Between nodes of one box.
_SEAM = 0.03
# A layer does not join a wider box.
_MAX_WIDTH = 2.4
_NAME = 22
# The width of a letter of the label, and of one of the name and the shape.
_LETTER = 0.075
_SMALL_LETTER = 0.055
_SIDES = 0.14


@dataclass
class Part:
    """A node in a box: its position in the network, and its lines of text."""

    number: int
    label: str
    name: str
    shape: str

    @property
    def width(self) -> float:
        """Width of the longest line, with room at its sides."""
        small = _SMALL_LETTER * max(len(self.name), len(self.shape))
        return max(_LETTER * len(self.label), small, 0.2) + _SIDES


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
        return sum(part.width for part in self.parts) + _SEAM * (len(self.parts) - 1)

    def places(self) -> Iterator[tuple[Part, float]]:
        """Yield the parts with the places of their left sides."""
        left = self.x - self.width / 2
        for part in self.parts:
            yield part, left
            left += part.width + _SEAM


@dataclass(frozen=True)
class Edge:
    """A connection of two boxes."""

    start: int
    end: int
    is_shortcut: bool


def boxes_of(nodes: Sequence[Node], labels: Sequence[str]) -> tuple[list[Box], list[Edge]]:
    """Return the boxes of nodes with these labels, and their connections."""
    boxes, box_of = _boxes(nodes, _parts(nodes, labels))
    edges = {
        Edge(box_of[source], box_of[number], node.shortcut == source)
        for number, node in enumerate(nodes)
        for source in node.inputs
        if box_of[source] != box_of[number]
    }
    return boxes, sorted(edges, key=lambda edge: (edge.end, edge.start))


def _parts(nodes: Sequence[Node], labels: Sequence[str]) -> list[Part]:
    names = [node.name.rpartition("*.")[2] if node.weight else "" for node in nodes]
    parts = []
    for number, (node, label, name) in enumerate(zip(nodes, labels, map(_end_of, names), strict=True)):
        text = shortened(" ".join(filter(None, [label, node.detail])), 30)
        shape = " x ".join(map(str, node.shape))
        parts.append(Part(number, text, name, shape))
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
