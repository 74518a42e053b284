"""One training step of a plain MLP without autograd's cost per operation."""

from typing import Any

import torch
from torch import nn

from initsk.estimators._derivatives import (
    IGNORED,
    RULES,
    cross_entropy,
    find_kernel,
    has_cross_entropy,
    has_derivative,
    squared_error,
)
from initsk.modules import MLP
from initsk.utils._hooks import any_module_has_hooks, has_hooks, may_have_gradient_hooks


class DenseStep:
    """The loss of an `MLP` and its gradient, by the operations that autograd would do, without its graph.

    Parameters
    ----------
    module : MLP
        One that `supports` takes.
    criterion : CrossEntropyLoss or MSELoss
        The loss.
    values, gradients : list of tensor
        Weight and bias of each linear layer in turn, and where their gradients go.
    """

    def __init__(
        self, module: MLP, criterion: nn.Module, values: list[torch.Tensor], gradients: list[torch.Tensor]
    ) -> None:
        self.scaled = module.scaled
        self.activations = [part for part in module.children() if type(part) in RULES]
        self.rules = [RULES[type(part)] for part in self.activations]
        self.kernels = [find_kernel(rule.kernel) for rule in self.rules]
        self.weights, self.biases = values[::2], values[1::2]
        self.dtype = values[0].dtype
        # A view, made once and not at every step.
        self.transposed = [weight.t() for weight in self.weights]
        self.gradients = list(zip(gradients[::2], gradients[1::2], strict=True))
        self.loss = cross_entropy if isinstance(criterion, nn.CrossEntropyLoss) else squared_error

    def compute(self, X: torch.Tensor, y: Any) -> torch.Tensor:
        """Return the mean loss of a batch, and write the gradients."""
        target, weight = y if isinstance(y, tuple) else (y, None)
        X = self.scaled(X)
        if X.dtype != self.dtype:
            X = X.to(self.dtype)
        inputs, saved, scores = self._forward(X)
        loss, gradient = self.loss(scores, target, weight)
        self._backward(inputs, saved, gradient)
        return loss

    def _forward(self, X: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
        """Return the input of every linear layer, what the derivatives need, and the scores."""
        inputs, saved = [X], []
        for bias, weight, activation, rule in zip(
            self.biases, self.transposed, self.activations, self.rules, strict=False
        ):
            z = torch.addmm(bias, X, weight)
            X = rule.forward(activation, z)
            inputs.append(X)
            saved.append(X if rule.from_output else z)
        return inputs, saved, torch.addmm(self.biases[-1], X, self.transposed[-1])

    def _backward(self, inputs: list[torch.Tensor], saved: list[torch.Tensor], gradient: torch.Tensor) -> None:
        for depth in reversed(range(len(self.weights))):
            of_weight, of_bias = self.gradients[depth]
            torch.mm(gradient.t(), inputs[depth], out=of_weight)
            torch.sum(gradient, 0, out=of_bias)
            if depth:
                behind = torch.mm(gradient, self.weights[depth])
                before = depth - 1
                gradient = self.rules[before].backward(
                    self.kernels[before], self.activations[before], behind, saved[before]
                )


def supports(module: nn.Module, criterion: nn.Module) -> bool:
    """Return whether a step computes what autograd would: known activations, plain parameters and loss, no hooks."""
    parts = list(module.modules())
    return (
        type(module) is MLP
        and _is_plain(criterion)
        and not any_module_has_hooks()
        and all(type(part) is nn.Linear or has_derivative(type(part)) for part in parts[1:])
        and not any(has_hooks(part) or "forward" in vars(part) for part in (*parts, criterion))
        and all(p.requires_grad and not may_have_gradient_hooks(p) for p in module.parameters())
        and all(layer.bias is not None for layer in parts if isinstance(layer, nn.Linear))
    )


def _is_plain(criterion: nn.Module) -> bool:
    if type(criterion) is nn.MSELoss:
        return criterion.reduction == "mean"
    return (
        type(criterion) is nn.CrossEntropyLoss
        and criterion.weight is None
        and criterion.reduction == "mean"
        and criterion.label_smoothing == 0
        and criterion.ignore_index == IGNORED
        and has_cross_entropy()
    )
