"""The multilayer perceptron."""

from collections import OrderedDict

from torch import nn

from initsk.modules._activations import make_activation


class MLP(nn.Sequential):
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
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        width = n_features
        for depth, size in enumerate(hidden_layer_sizes, start=1):
            layers[f"hidden_{depth}"] = nn.Linear(width, size)
            layers[f"activation_{depth}"] = make_activation(activation)
            width = size
        layers["output"] = nn.Linear(width, n_outputs)
        super().__init__(layers)
