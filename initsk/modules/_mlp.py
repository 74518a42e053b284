"""The multilayer perceptron."""

import torch
from torch import nn

from initsk.modules._activations import make_activation


class MLP(nn.Module):
    """Linear layers with an activation function after each but the last.

    Children are named ``hidden_1``, ``activation_1``, ..., ``output``; the output
    layer gives raw scores (logits).

    Parameters
    ----------
    n_features, n_outputs : int
        Sizes of input and output.
    hidden_layer_sizes : tuple of int, default=(100,)
        Width of each hidden layer.
    activation : str or module class, default="relu"
        Activation function after each hidden layer.

    Examples
    --------
    >>> from initsk.modules import MLP
    >>> [name for name, _ in MLP(4, 2, (8,)).named_children()]
    ['hidden_1', 'activation_1', 'output']
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_layer_sizes: tuple[int, ...] = (100,),
        activation: str | type[nn.Module] = "relu",
    ) -> None:
        super().__init__()
        width = n_features
        for depth, size in enumerate(hidden_layer_sizes, start=1):
            self.add_module(f"hidden_{depth}", nn.Linear(width, size))
            self.add_module(f"activation_{depth}", make_activation(activation))
            width = size
        self.add_module("output", nn.Linear(width, n_outputs))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Parameters
        ----------
        X : tensor of shape (n_samples, n_features)

        Returns
        -------
        tensor of shape (n_samples, n_outputs)
        """
        for layer in self.children():
            X = layer(X)
        return X
