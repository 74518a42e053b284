"""The graph of a network, colored by what initializes each weight."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from initsk.displays._colors import PALETTE, drawn_color
from initsk.displays._display import Display, in_given_language
from initsk.displays._legends import legend_above, legend_below, legend_rows
from initsk.displays._network_blocks import fold
from initsk.displays._network_drawing import EDGE, SHORTCUT, draw_edges, draw_frames, draw_node
from initsk.displays._network_layout import Layout, arrange
from initsk.displays._network_nodes import Node, nodes_of
from initsk.displays._settings import ink
from initsk.displays._style import merge_style, sample
from initsk.exceptions import InvalidParameterError
from initsk.initialization import InitializationRecord
from initsk.language import message, translate
from initsk.network import NetworkGraph, read
from initsk.text import shortened
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colors that no initializer has, and hatches.
_OUTCOMES = {"kept": ("#b3b3b3", "...."), "left": ("#b2182b", "//////")}
# Without a record: the color and the meaning of a node's kind.
_KINDS = {
    "product": "layer", "convolution": "layer", "transposed convolution": "layer", "embedding": "layer",
    "recurrence": "layer", "normalization": "normalization", "activation": "activation", "attention": "attention",
    "pooling": "pooling", "parameter": "parameter",
}  # fmt: skip
_COLORS = dict(
    zip(("layer", "activation", "normalization", "attention", "parameter", "pooling"), PALETTE, strict=False)
)
_MEANINGS = {
    "layer": message("layer"),
    "normalization": message("normalization"),
    "activation": message("activation function"),
    "attention": message("attention"),
    "pooling": message("pooling"),
    "parameter": message("parameter"),
    "kept": message("kept"),
    "left": message("left"),
}


class NetworkDisplay(Display):
    """The graph of a network: layers, activation functions, normalizations, sums, and residual shortcuts.

    Nodes stand in the order of the forward pass, from the top down; many of them continue in the next column. A node
    has its label, the name of its layer and the shape of its result for one sample, unless that is the shape before.
    Reshapes, dropout, masks and arithmetic with numbers have no node. A thick line is the shortcut of a residual
    branch. A frame with "x 12" holds one of twelve equal blocks.

    The color of a node tells the initializer of its weight, if a record is given, and its kind otherwise.

    Parameters
    ----------
    nodes : sequence of Node
        The nodes, in the order of the forward pass.
    depth : int, default=0
        Depth of the network, for the title.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> from torch import nn
    >>> from initsk import initialize
    >>> from initsk.displays import NetworkDisplay
    >>> module = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> display = NetworkDisplay.from_module(module, record=initialize(module, "he_normal"))
    >>> [node.label for node in display.nodes], display.nodes[1].filled_by
    (['input', 'linear', 'relu', 'linear', 'output'], 'HeNormal()')
    >>> figure = display.plot().figure_
    """

    def __init__(self, nodes: Sequence[Node], depth: int = 0) -> None:
        self.nodes = list(nodes)
        self.depth = depth

    @classmethod
    def from_module(cls, module: Any, X: Any = None, *, record: InitializationRecord | None = None) -> Self:
        """Read a module and return its display.

        Parameters
        ----------
        module : torch.nn.Module
        X : array-like, tensor, tuple or dict of them, or None, default=None
            An input, as in `initsk.network.read`.
        record : InitializationRecord, optional
            What `initialize` did to the module.

        Returns
        -------
        NetworkDisplay

        Raises
        ------
        InvalidParameterError
            If no X is given, and no input is found that the module takes.
        """
        return cls.from_graph(read(module, X), record=record)

    @classmethod
    def from_graph(cls, graph: NetworkGraph, *, record: InitializationRecord | None = None) -> Self:
        """Return the display of a network that was read.

        Parameters
        ----------
        graph : NetworkGraph
        record : InitializationRecord, optional
            What `initialize` did to the network.

        Returns
        -------
        NetworkDisplay

        Raises
        ------
        InvalidParameterError
            If the graph has no operations.
        """
        if not graph.operations:
            problem = "NetworkDisplay: the graph has no operations (allowed: the reading of a forward pass); pass X"
            raise InvalidParameterError(problem)
        rows = () if record is None else record.rows
        filled_by = {row["name"]: row["initializer"] if row["outcome"] == "filled" else row["outcome"] for row in rows}
        return cls(fold(nodes_of(graph, filled_by)), graph.depth)

    @property
    def n_branches(self) -> int:
        """Number of residual branches."""
        return sum(node.n_repeats for node in self.nodes if node.shortcut is not None)

    def _contents(self) -> list[str]:
        return [counted(len(self.nodes), "node"), f"depth {self.depth}"]

    @in_given_language
    def plot(self, ax: Any = None, *, language: str = "en", **kwargs: Any) -> Self:
        """Draw the network.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure, as large as the network needs.
        language : str, default="en"
            Language of words: "en", "id", or another file in ``initsk/locale``.
        **kwargs
            Properties of the nodes, as in `matplotlib.patches.Patch`.

        Returns
        -------
        self
        """
        from matplotlib.patches import Patch

        layout = arrange(self.nodes, [translate(node.label) for node in self.nodes])
        colors = self._colors()
        handles = self._samples(colors)
        width = max([layout.width, 3.0, *(0.8 + 0.08 * len(handle.get_label()) for handle in handles)])
        legend = 0.22 * legend_rows(handles, width) - 0.3
        grid = self._open_grid(ax, 1, 1, width=width, height=layout.height, left=0.1, right=0.1, legend=legend)
        self.ax_ = grid[0, 0]
        above = 0.0
        if ax is None:
            legend_below(self.figure_, handles, width)
        else:
            above = legend_above(self.ax_, handles)
        self.ax_.set_axis_off()
        self.ax_.set_facecolor("none")
        scale = _fit(self.ax_, layout, width, above)
        draw_edges(self.ax_, layout, scale)
        draw_frames(self.ax_, layout, self.nodes, scale)
        given = merge_style(Patch, {}, kwargs)
        for box in layout.boxes:
            for part, x in box.places():
                key = self._key(self.nodes[part.number])
                draw_node(self.ax_, part, x, box.y, self.nodes[part.number].kind, scale, _fill(key, colors) | given)
        return self

    def _key(self, node: Node) -> str:
        """Return what the color of a node stands for; "" for a node without color."""
        if any(other.filled_by for other in self.nodes):
            return node.filled_by
        kind = _KINDS.get(node.kind, "")
        # A product of two signals is no layer.
        return "" if kind == "layer" and not node.weight else kind

    def _colors(self) -> dict[str, str]:
        """Return the colors in the order of the network."""
        keys = list(dict.fromkeys(filter(None, map(self._key, self.nodes))))
        if not any(node.filled_by for node in self.nodes):
            return {key: _COLORS[key] for key in keys}
        initializers = [key for key in keys if key not in _OUTCOMES]
        colors = {key: drawn_color(key, initializers) for key in initializers}
        return colors | {key: color for key, (color, _) in _OUTCOMES.items() if key in keys}

    def _samples(self, colors: dict[str, str]) -> list[Any]:
        """Return what the legend shows: the colors in use, the line of shortcuts, and the depth without a mark."""
        from matplotlib.patches import Patch

        labels = {key: shortened(translate(_MEANINGS.get(key, key)), 40) for key in colors}
        found: list[Any] = [Patch(label=labels[key], **_fill(key, colors)) for key in colors]
        if self.n_branches:
            found.append(sample(color=ink(), linewidth=SHORTCUT, label=translate("residual shortcut")))
        words = translate("depth {depth}, residual branches: {n}", depth=self.depth, n=self.n_branches)
        return [*found, sample(linestyle="none", label=words)]


def _fill(key: str, colors: dict[str, str]) -> dict[str, Any]:
    """Return the style of a node: a light tint, on which text is readable on white and on dark pages."""
    from matplotlib.colors import to_rgba

    color = colors.get(key, EDGE)
    _, hatch = _OUTCOMES.get(key, (color, None))
    face = to_rgba(color, 0.3) if key else "none"
    return {"facecolor": face, "edgecolor": color, "linewidth": 1.2, "hatch": hatch}


def _fit(ax: "Axes", layout: Layout, width: float, above: float) -> float:
    """Show the whole picture in axes, and return its scale."""
    dpi = ax.figure.dpi
    ax.set(xlim=((layout.width - width) / 2, (layout.width + width) / 2), ylim=(0, layout.height))
    ax.set_aspect("equal", anchor="N")
    return float(min(ax.bbox.width / dpi / width, (ax.bbox.height / dpi - above) / layout.height, 1.0))
