"""The multilayer perceptron."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from numbers import Integral
from typing import cast

import torch
from torch import nn

from initsk.exceptions import InvalidParameterError
from initsk.network._activations import ActivationOption, activations_of_layers, make_activation

#: Normalization layers by name, as functions of the width.
NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {"batch_norm": nn.BatchNorm1d, "layer_norm": nn.LayerNorm}


def layer_sizes(hidden_layer_sizes: int | Sequence[int]) -> tuple[int, ...]:
    """Return the width of each hidden layer as a tuple; an integer is the width of a single one.

    Examples
    --------
    >>> layer_sizes(100), layer_sizes([8, 4])
    ((100,), (8, 4))
    """
    sizes = [hidden_layer_sizes] if isinstance(hidden_layer_sizes, Integral) else hidden_layer_sizes
    return tuple(map(int, cast(Sequence[int], sizes)))


class MLP(nn.Module):
    """Linear layers with activation functions and optional normalization and dropout after all but the last.

    Children are named ``hidden_1``, ``norm_1``, ``activation_1``, ``dropout_1``, ..., ``output``; the output
    layer returns raw scores (logits).

    Parameters
    ----------
    n_features, n_outputs : int
        Numbers of inputs and outputs.
    hidden_layer_sizes : int or tuple of int, default=(100,)
        Width of each hidden layer; an integer for a single one.
    activation : str, module class, module, callable, or a list of these, default="relu"
        Activation function after each hidden layer; a list has one for each.
    normalization : {"batch_norm", "layer_norm"} or None, default=None
        Layer between a hidden layer and its activation function.
    dropout : float, default=0.0
        Probability, below 1, of setting an activation to zero in training.
    input_scale : float or None, default=None
        Factor by which the input is multiplied; the input may then have any numeric type: ``1 / 255`` for 8-bit pixels.

    Raises
    ------
    InvalidParameterError
        If an activation function or a normalization is not allowed.

    Examples
    --------
    >>> from initsk.network import MLP
    >>> [name for name, _ in MLP(4, 2, (8,), normalization="layer_norm").named_children()]
    ['hidden_1', 'norm_1', 'activation_1', 'output']
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: ActivationOption = "relu",
        *,
        normalization: str | None = None,
        dropout: float = 0.0,
        input_scale: float | None = None,
    ) -> None:
        super().__init__()
        if normalization not in (None, *NORMALIZATIONS):
            raise InvalidParameterError(f"normalization={normalization!r} is not allowed ({', '.join(NORMALIZATIONS)})")
        self._factor = input_scale
        self.input_scale: torch.Tensor | None
        scale = None if input_scale is None else torch.tensor([input_scale])
        # A buffer follows the parameters' type and device. It is not persistent, since it is a setting.
        self.register_buffer("input_scale", scale, persistent=False)
        width = n_features
        sizes = layer_sizes(hidden_layer_sizes)
        kinds = activations_of_layers(activation, len(sizes))
        for depth, (size, kind) in enumerate(zip_longest(sizes, kinds), start=1):
            self.add_module(f"hidden_{depth}", nn.Linear(width, size))
            if normalization is not None:
                self.add_module(f"norm_{depth}", NORMALIZATIONS[normalization](size))
            self.add_module(f"activation_{depth}", make_activation(kind))
            if dropout:
                self.add_module(f"dropout_{depth}", nn.Dropout(dropout))
            width = size
        self.add_module("output", nn.Linear(width, n_outputs))

    def scaled(self, X: torch.Tensor) -> torch.Tensor:
        """Return the input times `input_scale`, or the input without one.

        Double precision is scaled before it is cast, since its numbers may be too large for the network's type.

        Parameters
        ----------
        X : tensor

        Returns
        -------
        tensor
        """
        if self.input_scale is None or self._factor is None:
            return X
        if X.dtype == torch.float64:
            return (X * self._factor).to(self.input_scale.dtype)
        return X * self.input_scale

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Parameters
        ----------
        X : tensor of shape (n_samples, n_features)

        Returns
        -------
        tensor of shape (n_samples, n_outputs)
        """
        X = self.scaled(X)
        for layer in self.children():
            X = layer(X)
        return X
