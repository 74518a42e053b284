"""One training step of a plain MLP without autograd's cost per operation."""

from collections.abc import Callable

import torch
from torch import nn

from initsk.modules import MLP

# In place: the activation, and the factor of the gradient computed from the activation's own output.
_IN_PLACE: dict[type[nn.Module], tuple[Callable[[torch.Tensor], object], Callable[[torch.Tensor], torch.Tensor]]] = {
    nn.ReLU: (torch.Tensor.relu_, torch.Tensor.sign_),
    nn.Tanh: (torch.Tensor.tanh_, lambda a: a.square_().neg_().add_(1)),
    nn.Sigmoid: (torch.Tensor.sigmoid_, lambda a: a.mul_(1 - a)),
}
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class DenseStep:
    """Forward and backward pass of an `MLP`, with gradients in memory that is used again.

    The operations are those of autograd, in the same order, without what autograd adds to
    them at every step: a graph, and fresh memory for every gradient.

    Parameters
    ----------
    module : MLP
        One that `supports` takes.
    """

    def __init__(self, module: MLP) -> None:
        children = list(module.children())
        linears = [child for child in children if isinstance(child, nn.Linear)]
        self.activations = [_IN_PLACE[type(child)] for child in children if not isinstance(child, nn.Linear)]
        for parameter in module.parameters():
            parameter.grad = torch.zeros_like(parameter)
        # Detached, they share the parameters' memory and spare autograd's bookkeeping.
        self.weights = [layer.weight.detach() for layer in linears]
        self.transposed = [weight.t() for weight in self.weights]
        self.biases = [layer.bias.detach() for layer in linears]
        self.gradients = [(layer.weight.grad, layer.bias.grad) for layer in linears]

    def compute(self, X: torch.Tensor, y: torch.Tensor, criterion: nn.Module) -> torch.Tensor:
        """Return the loss of a batch, and set ``grad`` of every parameter."""
        inputs, scores = self.forward(X)
        loss: torch.Tensor = criterion(scores, y)
        (gradient,) = torch.autograd.grad(loss, scores)
        self.backward(inputs, gradient)
        return loss

    def forward(self, X: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return the input of every linear layer, and the scores as a leaf of a new graph."""
        inputs = [X]
        for bias, weight, (activate, _) in zip(self.biases, self.transposed, self.activations, strict=False):
            X = torch.addmm(bias, X, weight)
            activate(X)
            inputs.append(X)
        return inputs, torch.addmm(self.biases[-1], X, self.transposed[-1]).requires_grad_()

    def backward(self, inputs: list[torch.Tensor], gradient: torch.Tensor) -> None:
        """Write the parameters' ``grad`` from the scores' gradient; overwrites `inputs`."""
        for depth in reversed(range(len(self.weights))):
            weight_gradient, bias_gradient = self.gradients[depth]
            torch.mm(gradient.t(), inputs[depth], out=weight_gradient)
            torch.sum(gradient, 0, out=bias_gradient)
            if depth:
                factor = self.activations[depth - 1][1](inputs[depth])
                gradient = torch.mm(gradient, self.weights[depth]).mul_(factor)


def supports(module: nn.Module) -> bool:
    """Say whether autograd would do nothing else: known activations, plain parameters, no hooks."""
    parts = list(module.modules())
    parameters = list(module.parameters())
    return (
        type(module) is MLP
        and all(type(part) in (nn.Linear, *_IN_PLACE) for part in parts[1:])
        and not any(getattr(part, hooks) for part in parts for hooks in _HOOKS)
        and not nn.modules.module._has_any_global_hook()
        and all(p.requires_grad and p.device.type == "cpu" and not p._backward_hooks for p in parameters)
        and all(layer.bias is not None for layer in parts if isinstance(layer, nn.Linear))
    )
