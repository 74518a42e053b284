"""The picture of a network: its nodes, colors, shortcuts and folded blocks."""

import time
from html import escape
from itertools import pairwise

import pytest
import torch
from matplotlib.colors import same_color
from matplotlib.patches import FancyBboxPatch, PathPatch
from torch import nn

from initsk import initialize, network
from initsk.displays import NetworkDisplay, figure_svg
from initsk.exceptions import InvalidParameterError
from initsk.initializers import PerParameter
from tests.displays.helpers import named_network
from tests.helpers import batch, build


class Block(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.body = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x):
        return x + self.body(self.norm(x))


class Skip(nn.Module):
    """A small U-Net."""

    def __init__(self):
        super().__init__()
        self.enter, self.down = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.up, self.leave = nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x):
        first = torch.relu(self.enter(x))
        second = torch.relu(self.up(torch.relu(self.down(first))))
        return self.leave(torch.cat([first, second], dim=1))


def residual(n_blocks=4):
    return build(lambda: nn.Sequential(nn.Linear(3, 6), *[Block() for _ in range(n_blocks)], nn.Linear(6, 2)))


def encoder():
    return build(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3))


NETWORKS = {
    "mlp": (lambda: build(lambda: nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))), (2, 5)),
    "residual": (residual, (2, 3)),
    "encoder": (encoder, (2, 5, 8)),
    "U-Net": (lambda: build(Skip), (2, 3, 8, 8)),
}
each_network = pytest.mark.parametrize("name", NETWORKS)


def read(name):
    factory, shape = NETWORKS[name]
    module = factory()
    return module, network.read(module, batch(*shape))


def drawn(display):
    """Return the patches of the nodes, in the order in which they are drawn."""
    return [patch for patch in display.ax_.patches if isinstance(patch, FancyBboxPatch)]


def legend(display):
    """Return the colors in the legend by their labels."""
    [found] = display.figure_.legends
    return {
        text.get_text(): patch.get_edgecolor()
        for text, patch in zip(found.get_texts(), found.get_patches(), strict=False)
    }


@each_network
def test_every_parameter_belongs_to_one_node(name):
    module, graph = read(name)
    shown = [parameter for node in NetworkDisplay.from_graph(graph).nodes for parameter in node.parameters]
    assert sorted(shown) == sorted(name for name, _ in module.named_parameters())


@each_network
def test_colors_are_those_of_the_legend(name):
    module, graph = read(name)
    record = initialize(module, "he_normal", X=batch(*NETWORKS[name][1]), output_initializer="zeros", random_state=0)
    display = NetworkDisplay.from_graph(graph, record=record).plot()
    rows = record.to_frame().set_index("name")
    colors = legend(display)
    patches = drawn(display)
    assert len(patches) == len(display.nodes)
    used = set()
    for node in display.nodes:
        if not node.weight:
            assert node.filled_by == ""
            continue
        row = rows.loc[node.weight]
        assert node.filled_by == (row["initializer"] if row["outcome"] == "filled" else row["outcome"])
        used.add(node.filled_by)
    assert used == set(colors) - {"residual shortcut"}
    texts = [text.get_text() for text in display.ax_.texts]
    assert sum(same_color(patch.get_edgecolor(), color) for patch in patches for color in colors.values()) == sum(
        bool(node.weight) for node in display.nodes
    )
    assert all(node.label in "\n".join(texts) for node in display.nodes)


@each_network
def test_shortcuts_are_the_residual_branches(name):
    _, graph = read(name)
    display = NetworkDisplay.from_graph(graph).plot()
    assert display.n_branches == graph.n_branches
    thick = [p for p in display.ax_.patches if isinstance(p, PathPatch) and p.get_linewidth() > 1.5]
    assert len(thick) == sum(node.shortcut is not None for node in display.nodes)


@pytest.mark.parametrize("n_blocks", [2, 3, 12])
def test_equal_blocks_are_folded(n_blocks):
    display = NetworkDisplay.from_module(residual(n_blocks), batch(2, 3))
    repeats = [node.n_repeats for node in display.nodes]
    # input, stem; norm, two layers, activation function and sum of a block; head and output.
    assert repeats == [1, 1, *[n_blocks] * 5, 1, 1]
    assert f"x {n_blocks}" in [text.get_text() for text in display.plot().ax_.texts]
    [norm] = [node for node in display.nodes if node.kind == "normalization"]
    assert norm.name == "*.norm"
    assert len(norm.parameters) == 2 * n_blocks


def test_different_initializers_are_not_folded():
    module = residual(3)
    record = initialize(
        module, PerParameter([("zero", "zeros", "2.body.0.weight")], "he_normal"), X=batch(2, 3), random_state=0
    )
    display = NetworkDisplay.from_module(module, batch(2, 3), record=record)
    assert {node.n_repeats for node in display.nodes} == {1}


def test_blocks_of_another_width_are_not_folded():
    module = build(lambda: nn.Sequential(*[nn.Sequential(nn.Linear(n, n + 1), nn.ReLU()) for n in range(3, 9)]))
    assert {node.n_repeats for node in NetworkDisplay.from_module(module).nodes} == {1}


def test_reshapes_constants_and_dropout_have_no_node():
    class Arithmetic(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 6), nn.Linear(3, 2)
            self.scale = nn.Parameter(torch.ones(6))

        def forward(self, x):
            x = (self.first(x) * self.scale + 1) / 2
            return self.second(nn.functional.dropout(x.view(len(x), 2, 3).transpose(1, 2).transpose(1, 2)).mean(1))

    display = NetworkDisplay.from_module(build(Arithmetic), batch(2, 4))
    assert [node.label for node in display.nodes] == ["input", "linear", "mean", "linear", "output"]
    assert display.nodes[1].parameters == ["first.weight", "first.bias", "scale"]
    assert [node.shape for node in display.nodes] == [(4,), (6,), (3,), (2,), ()]


def test_shapes_are_those_of_one_sample_wherever_the_samples_are():
    class Windows(nn.Module):
        """Cut images into four windows of 2 x 2, whose rows of all samples stand one after the other."""

        def __init__(self):
            super().__init__()
            self.within, self.across = nn.Linear(12, 5), nn.Linear(4, 2)

        def forward(self, x):
            windows = x.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
            values = self.within(windows)
            return self.across(values.view(-1, 4, 5).transpose(1, 2))

    display = NetworkDisplay.from_module(build(Windows), batch(3, 3, 4, 4))
    assert [node.shape for node in display.nodes[:3]] == [(3, 4, 4), (4, 5), (5, 2)]
    # Inside, the samples are the second axis.
    layer = build(lambda: nn.TransformerEncoderLayer(8, 2, 12, batch_first=True))
    display = NetworkDisplay.from_module(layer, batch(3, 7, 8))
    shapes = {node.label: node.shape for node in display.nodes if node.label in ("attention", "layer norm", "relu")}
    assert shapes == {"attention": (7, 8), "layer norm": (7, 8), "relu": (7, 12)}


def test_nodes_do_not_overlap():
    for name in NETWORKS:
        boxes = [patch.get_bbox() for patch in drawn(NetworkDisplay.from_graph(read(name)[1]).plot())]
        for number, one in enumerate(boxes):
            for other in boxes[:number]:
                apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
                assert apart, name


@pytest.mark.parametrize("name", ["$a_1$", "a & {b}", "<script>"])
def test_names_appear_as_they_are(name):
    display = NetworkDisplay.from_module(named_network(name)).plot()
    assert name in [text.get_text() for text in display.ax_.texts]
    assert escape(name, quote=False) in figure_svg(display.figure_, "x")


def test_equal_networks_give_equal_bytes(tmp_path):
    for ending in ("png", "svg"):
        once, again = (
            NetworkDisplay.from_module(residual(), batch(2, 3)).save(tmp_path / f"{name}.{ending}").read_bytes()
            for name in "ab"
        )
        assert once == again


def test_words_are_translated():
    display = NetworkDisplay.from_module(residual(), batch(2, 3)).plot(language="id")
    assert display.figure_.legends[0].get_texts()[-1].get_text() == "kedalaman 2, cabang residual: 4"
    assert "masukan" in [text.get_text() for text in display.ax_.texts]


def test_a_network_without_operations_has_no_picture():
    class Unknown(nn.Module):
        def forward(self, x):
            raise NotImplementedError

    with pytest.raises(InvalidParameterError, match=r"no operations .* pass X"):
        NetworkDisplay.from_module(Unknown())


@pytest.mark.slow
def test_a_hundred_layers_are_drawn_in_a_second():
    widths = [3 + number % 7 for number in range(101)]
    module = build(lambda: nn.Sequential(*[nn.Linear(a, b) for a, b in pairwise(widths)]))
    graph = network.read(module, batch(2, 3))
    NetworkDisplay.from_graph(graph).plot()
    start = time.perf_counter()
    NetworkDisplay.from_graph(graph).plot()
    assert time.perf_counter() - start < 1
