"""Graph networks of torch_geometric, on a ring of ten nodes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tests.zoo.table import Architecture, values


def ring() -> tuple[torch.Tensor, torch.Tensor]:
    """Return features of ten nodes, and the edges of a ring in both directions."""
    nodes = torch.arange(10)
    following = (nodes + 1) % 10
    return values(10, 8), torch.stack([torch.cat([nodes, following]), torch.cat([following, nodes])])


def named_ring() -> dict[str, torch.Tensor]:
    x, edge_index = ring()
    return {"x": x, "edge_index": edge_index}


def typed_ring() -> tuple[torch.Tensor, ...]:
    return *ring(), torch.arange(20) % 3


def basic(name: str, **settings: Any) -> Callable[[], nn.Module]:
    """Return a builder of one of the ready models with two layers."""

    def build() -> nn.Module:
        from torch_geometric.nn import models

        return getattr(models, name)(8, 16, num_layers=2, out_channels=3, **settings)

    return build


def stack(
    name: str, arguments: str, sizes: tuple[tuple[int, int], tuple[int, int]], **settings: Any
) -> Callable[[], nn.Module]:
    """Return a builder of two layers of a type, with ReLU between them."""

    def build() -> nn.Module:
        from torch_geometric import nn as graph_nn

        layers = [(getattr(graph_nn, name)(*size, **settings), f"{arguments} -> x") for size in sizes]
        return graph_nn.Sequential(arguments, [layers[0], (nn.ReLU(), "x -> x"), layers[1]])

    return build


def row(
    name: str,
    build: Callable[[], nn.Module],
    inputs: Callable[[], Any],
    branches: int | None,
    depth: int,
    activations: tuple[str, ...] = ("relu",),
) -> Architecture:
    return Architecture(name, "graph", "torch_geometric", build, inputs, branches, depth, activations)


# In three of these layers, a node's own features have a matrix beside that of the neighbors. Whether their sum is a
# projected skip or one layer with two matrices is a matter of definition.
ROWS = [
    row("GCN", basic("GCN"), ring, 0, 2),
    row("GraphSAGE", basic("GraphSAGE"), named_ring, None, 2),
    row("GAT", basic("GAT", heads=1), ring, 0, 2, ("relu", "leaky_relu")),
    # Each layer is an MLP of two layers over the sum of the neighbors.
    row("GIN", basic("GIN"), named_ring, 0, 2 * 2),
    # A node's own features reach the second of three matrices of a layer by concatenation.
    row(
        "PNA",
        basic("PNA", aggregators=["mean", "max"], scalers=["identity", "linear"], deg=torch.tensor([0, 0, 10])),
        ring, 0, 2 * 2,
    ),
    row(
        "TransformerConv", stack("TransformerConv", "x, edge_index", ((8, 8), (16, 3)), heads=2), ring, None, 2,
    ),
    # Matrices of shape (relations, in, out).
    row(
        "RGCN", stack("RGCNConv", "x, edge_index, edge_type", ((8, 16), (16, 3)), num_relations=3), typed_ring, None, 2,
    ),
]  # fmt: skip
