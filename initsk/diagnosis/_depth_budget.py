"""The depth of a chain of layers, relative to the depth scale of mean field theory."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import nn

from initsk import theory
from initsk.diagnosis._predict import Distributions
from initsk.exceptions import InitskError
from initsk.network import NetworkGraph, Operation, sums_of


@dataclass(frozen=True)
class DepthBudget:
    """The hidden layers of a network as mean field theory describes them: one layer, repeated.

    Attributes
    ----------
    activation : str or callable
        The activation function of most layers.
    weight_variance, bias_variance : float
        Mean square of the weights times fan_in, as a geometric mean over the layers, and of the biases.
    depth : int
        Layers with that activation function.
    xi_c : float
        Depth scale of correlations.
    reach : float
        Depth up to which networks train, by theory: 6 xi_c (Schoenholz et al. 2017, figure 5).
    phase : {"ordered", "critical", "chaotic"}
    """

    activation: theory.ActivationLike
    weight_variance: float
    bias_variance: float
    depth: int
    xi_c: float
    reach: float
    phase: str

    @property
    def share(self) -> float:
        """Depth relative to the depth that theory allows."""
        return self.depth / self.reach if self.reach > 0 else float("inf")


def depth_budget(module: nn.Module, graph: NetworkGraph) -> DepthBudget | None:
    """Return the depth budget of a plain chain of layers; None for other networks and for weights of zero."""
    distribution = Distributions(module, graph, None)
    chain = [(sums_of(layer, graph, distribution), activation) for layer, activation in _chain(graph)]
    found = [(sums, activation) for sums, activation in chain if sums is not None and activation is not None]
    runs = [list(group) for _, group in groupby(found, key=lambda pair: repr(pair[1]))]
    run = max(runs, key=len, default=[])
    # Without the edges of padded images.
    weights = [sums.fan_in * sums.weight_square for sums, _ in run]
    if not run or min(weights) <= 0:
        return None
    weight = float(torch.tensor(weights, dtype=torch.float64).log().mean().exp())
    bias = sum(sums.bias_square for sums, _ in run) / len(run)
    activation = run[0][1]
    try:
        field = theory.MeanField(activation, weight, bias)
        scales = field.depth_scales()
        return DepthBudget(activation, weight, bias, len(run), scales.xi_c, scales.reach, field.phase)
    except InitskError:
        # The function has no mean over a normal distribution.
        return None


def _chain(graph: NetworkGraph) -> list[tuple[Operation, Any]]:
    """Return the layers with weights, each with the activation function after it, if each feeds only the next one."""
    outputs = [operation for operation in graph.operations if operation.kind == "output"]
    if not outputs or len(outputs[0].inputs) != 1:
        return []
    chain: list[tuple[Operation, Any]] = []
    operation, activation = graph.operations[outputs[0].inputs[0].operation], None
    while operation.kind != "input":
        if operation.activation is not None and operation.variable is not None and activation is None:
            source, activation = operation.variable, operation.activation
        elif operation.kind in ("reshape", "dropout") or (operation.kind == "softmax" and not chain):
            source = operation.inputs[0]
        elif operation.is_weighted and operation.kind in ("product", "convolution") and len(operation.inputs) == 1:
            chain.append((operation, activation))
            source, activation = operation.inputs[0], None
        else:
            return []
        operation = graph.operations[source.operation]
    # A function before the first layer is none of the chain.
    return [] if activation is not None else chain[::-1]
