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
    """Cross-entropy and its gradient for an `MLP`, in memory that is used again.

    The operations are those of autograd, without what autograd adds to them at every
    step: a graph, and fresh memory for every gradient.

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

    @torch.no_grad()
    def compute(self, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy of a batch, and set ``grad`` of every parameter."""
        inputs, scores = self.forward(X)
        target = y.unsqueeze(1)
        log_probabilities = torch.log_softmax(scores, 1)
        loss = log_probabilities.gather(1, target).mean().neg_()
        # d loss / d scores = (probability - 1 at the true class) / n
        gradient = log_probabilities.exp_().scatter_add_(1, target, scores.new_full(target.shape, -1.0))
        self.backward(inputs, gradient.div_(len(y)))
        return loss

    def forward(self, X: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return the input of every linear layer, and the scores."""
        inputs = [X]
        for bias, weight, (activate, _) in zip(self.biases, self.transposed, self.activations, strict=False):
            X = torch.addmm(bias, X, weight)
            activate(X)
            inputs.append(X)
        return inputs, torch.addmm(self.biases[-1], X, self.transposed[-1])

    def backward(self, inputs: list[torch.Tensor], gradient: torch.Tensor) -> None:
        """Write the parameters' ``grad`` from the scores' gradient; overwrites `inputs`."""
        for depth in reversed(range(len(self.weights))):
            weight_gradient, bias_gradient = self.gradients[depth]
            torch.mm(gradient.t(), inputs[depth], out=weight_gradient)
            torch.sum(gradient, 0, out=bias_gradient)
            if depth:
                factor = self.activations[depth - 1][1](inputs[depth])
                gradient = torch.mm(gradient, self.weights[depth]).mul_(factor)


def supports(module: nn.Module, criterion: nn.Module) -> bool:
    """Say whether autograd would do nothing else: known activations, plain parameters and loss, no hooks."""
    parts = list(module.modules())
    parameters = list(module.parameters())
    return (
        type(module) is MLP
        and _is_plain(criterion)
        and all(type(part) in (nn.Linear, *_IN_PLACE) for part in parts[1:])
        and not any(getattr(part, hooks) for part in (*parts, criterion) for hooks in _HOOKS)
        and not nn.modules.module._has_any_global_hook()
        and all(p.requires_grad and p.device.type == "cpu" and not p._backward_hooks for p in parameters)
        and all(layer.bias is not None for layer in parts if isinstance(layer, nn.Linear))
    )


def _is_plain(criterion: nn.Module) -> bool:
    return (
        type(criterion) is nn.CrossEntropyLoss
        and criterion.weight is None
        and criterion.reduction == "mean"
        and criterion.label_smoothing == 0
    )
