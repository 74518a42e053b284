"""Modules that are a plain chain of layers, of which theory can say what to expect."""

from math import prod
from typing import Any, NamedTuple

from torch import nn

from initsk.modules._activations import ACTIVATION_TYPES, activation_value
from initsk.modules._mlp import MLP
from initsk.theory import ActivationLike, SignalLayer

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_SAME_VALUES = (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_OF_SCORES = (nn.Softmax, nn.LogSoftmax)


class ChainLayer(NamedTuple):
    """One weighted layer of a chain: its name, the layer, and the activation function that follows."""

    name: str
    layer: nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
    activation: ActivationLike | None

    def as_signal(
        self, weight_square: float, bias_square: float, *, orthogonal: bool = False, centred: bool = False
    ) -> SignalLayer:
        """Return the layer as theory sees it, with these mean squares of weights and biases."""
        weight: Any = self.layer.weight
        groups, stride = getattr(self.layer, "groups", 1), getattr(self.layer, "stride", (1,))
        fan_out = weight.shape[0] * prod(weight.shape[2:]) // (groups * prod(stride))
        return SignalLayer(
            self.activation,
            weight[0].numel(),
            fan_out,
            weight_square,
            bias_square,
            weight.shape[0],
            orthogonal,
            centred,
        )


def chain_of(module: nn.Module) -> list[ChainLayer] | None:
    """Return the layers of a module in which each feeds the next alone; None of any other module.

    Known are `MLP` without normalisation and ``torch.nn.Sequential`` of linear and convolution layers,
    activation functions, dropout and reshaping.

    Examples
    --------
    >>> chain = chain_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    >>> [(name, activation) for name, _, activation in chain]
    [('0', 'relu'), ('2', None)]
    >>> chain_of(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))) is None
    True
    """
    chain: list[ChainLayer] = []
    parts = _parts(module)
    for position, (name, part) in enumerate(parts):
        if isinstance(part, _LAYERS):
            chain.append(ChainLayer(name, part, None))
        elif isinstance(part, _SAME_VALUES):
            continue
        elif isinstance(part, ACTIVATION_TYPES) and chain and chain[-1].activation is None:
            chain[-1] = chain[-1]._replace(activation=activation_value(part))
        elif not (isinstance(part, _OF_SCORES) and position == len(parts) - 1):
            return None
    return chain or None


def _parts(module: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Return the modules that are called one after the other, by their names."""
    if not isinstance(module, nn.Sequential | MLP):
        return [(prefix.rstrip("."), module)]
    return [part for name, child in module.named_children() for part in _parts(child, f"{prefix}{name}.")]
