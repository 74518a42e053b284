"""The training step of a plain MLP without autograd.

An optimization: loss and gradients must equal those of autograd to rounding. `supports` and `needs_batch_events` find
the cases in which a user could observe a difference; skorch's own steps run in these.
"""

from typing import Any

import torch
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from torch import nn

from initsk.estimators.fast import _derivatives as derivatives
from initsk.network import MLP, any_module_has_hooks, has_hooks, may_have_gradient_hooks


class DenseStep:
    """The loss of an `MLP` and its gradients, by the operations that autograd would run, without a graph.

    Parameters
    ----------
    module : MLP
        A module for which `supports` is true.
    criterion : CrossEntropyLoss, BCEWithLogitsLoss or MSELoss
        The loss.
    values, gradients : list of tensor
        Weight and bias of each linear layer in turn, and the tensors that receive their gradients.
    """

    def __init__(
        self, module: MLP, criterion: nn.Module, values: list[torch.Tensor], gradients: list[torch.Tensor]
    ) -> None:
        self.scaled = module.scaled
        self.activations = [part for part in module.children() if type(part) in derivatives.RULES]
        self.rules = [derivatives.RULES[type(part)] for part in self.activations]
        self.kernels = [derivatives.find_kernel(rule.kernel) for rule in self.rules]
        self.weights, self.biases = values[::2], values[1::2]
        self.dtype = values[0].dtype
        # The views are made once instead of at every step.
        self.transposed = [weight.t() for weight in self.weights]
        self.gradients = list(zip(gradients[::2], gradients[1::2], strict=True))
        self.loss = derivatives.LOSSES[type(criterion)]

    def compute(self, X: torch.Tensor, y: Any) -> torch.Tensor:
        """Write the gradients of a batch's mean loss, and return the loss."""
        target, weight = y if isinstance(y, tuple) else (y, None)
        X = self.scaled(X)
        if X.dtype != self.dtype:
            X = X.to(self.dtype)
        inputs, saved, scores = self._forward(X)
        loss, gradient = self.loss(scores, target, weight)
        self._backward(inputs, saved, gradient)
        return loss

    def _forward(self, X: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
        """Return the input of each linear layer, the values that the derivatives need, and the scores."""
        inputs, saved = [X], []
        hidden = zip(self.biases, self.transposed, self.activations, self.rules, strict=False)
        for bias, weight, activation, rule in hidden:
            z = torch.addmm(bias, X, weight)
            X = rule.forward(activation, z)
            inputs.append(X)
            saved.append(X if rule.from_output else z)
        return inputs, saved, torch.addmm(self.biases[-1], X, self.transposed[-1])

    def _backward(self, inputs: list[torch.Tensor], saved: list[torch.Tensor], gradient: torch.Tensor) -> None:
        for depth in reversed(range(len(self.weights))):
            weight_gradient, bias_gradient = self.gradients[depth]
            torch.mm(gradient.t(), inputs[depth], out=weight_gradient)
            torch.sum(gradient, 0, out=bias_gradient)
            if depth:
                output_gradient = torch.mm(gradient, self.weights[depth])
                kernel, activation = self.kernels[depth - 1], self.activations[depth - 1]
                gradient = self.rules[depth - 1].backward(kernel, activation, output_gradient, saved[depth - 1])


def supports(module: nn.Module, criterion: nn.Module) -> bool:
    """Return whether the fast step computes what autograd would: known activation functions, plain loss, no hooks."""
    parts = list(module.modules())
    return (
        type(module) is MLP
        and _is_plain(criterion)
        and not any_module_has_hooks()
        and all(type(part) is nn.Linear or derivatives.has_derivative(type(part)) for part in parts[1:])
        and not any(has_hooks(part) or "forward" in vars(part) for part in (*parts, criterion))
        and all(p.requires_grad and not may_have_gradient_hooks(p) for p in module.parameters())
        and all(layer.bias is not None for layer in parts if isinstance(layer, nn.Linear))
    )


def _is_plain(criterion: nn.Module) -> bool:
    if type(criterion) is nn.MSELoss:
        return criterion.reduction == "mean"
    if type(criterion) is nn.BCEWithLogitsLoss:
        return criterion.reduction == "mean" and criterion.weight is None and criterion.pos_weight is None
    return (
        type(criterion) is nn.CrossEntropyLoss
        and criterion.weight is None
        and criterion.reduction == "mean"
        and criterion.label_smoothing == 0
        and criterion.ignore_index == derivatives.IGNORED
        and derivatives.has_cross_entropy()
    )


_BATCH_EVENTS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


def needs_batch_events(callback: Callback) -> bool:
    """Return whether a callback does something at training batches; its attribute `needs_batch_events` may deny it."""
    if not getattr(callback, "needs_batch_events", True):
        return False
    if isinstance(callback, EpochScoring) and not callback.on_train:
        return False
    if type(callback) is LRScheduler and callback.step_every == "epoch":
        return False
    return any(getattr(type(callback), event) is not getattr(Callback, event) for event in _BATCH_EVENTS)
