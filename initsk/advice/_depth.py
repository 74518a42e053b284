"""Whether a network is deeper than its depth scale allows."""

from dataclasses import dataclass
from itertools import groupby

import torch
from torch import nn

from initsk.exceptions import InitskError
from initsk.modules import ChainLayer, chain_of
from initsk.theory import ActivationLike, MeanField


@dataclass(frozen=True)
class DepthBudget:
    """A network's hidden layers as theory sees them: as one layer, repeated.

    Attributes
    ----------
    activation : str or callable
        What follows the most layers.
    weight_variance, bias_variance : float
        Mean square of the weights times fan_in, as a geometric mean over the layers, and of the biases.
    depth : int
        Layers with that activation function.
    xi_c : float
        Depth scale of correlations.
    reach : float
        Layers that networks train through, by theory: 6 xi_c (Schoenholz et al. 2017, figure 5).
    phase : {"ordered", "critical", "chaotic"}
    """

    activation: ActivationLike
    weight_variance: float
    bias_variance: float
    depth: int
    xi_c: float
    reach: float
    phase: str

    @property
    def share(self) -> float:
        """Depth as a share of what theory allows."""
        return self.depth / self.reach if self.reach > 0 else float("inf")


def depth_budget(module: nn.Module) -> DepthBudget | None:
    """Return what theory says of a plain chain of layers; None of others, and of weights of zero."""
    chain = [layer for layer in chain_of(module) or () if layer.activation is not None]
    runs = [list(group) for _, group in groupby(chain, key=lambda layer: repr(layer.activation))]
    run = max(runs, key=len, default=[])
    weights = [_variance(layer) for layer in run]
    if not run or min(weights) <= 0:
        return None
    weight = float(torch.tensor(weights, dtype=torch.float64).log().mean().exp())
    bias = sum(_bias_square(layer) for layer in run) / len(run)
    activation = run[0].activation
    assert activation is not None
    try:
        field = MeanField(activation, weight, bias)
        scales = field.depth_scales()
        return DepthBudget(activation, weight, bias, len(run), scales.xi_c, scales.reach, field.phase)
    except InitskError:
        # A function without a mean over a normal distribution.
        return None


def _variance(layer: ChainLayer) -> float:
    weight = layer.layer.weight.detach().double()
    return float(weight.square().mean()) * weight[0].numel() if weight.numel() else 0.0


def _bias_square(layer: ChainLayer) -> float:
    bias = layer.layer.bias
    return 0.0 if bias is None else float(bias.detach().double().square().mean())
