"""Activation functions and losses with their derivatives, by the kernels that autograd calls.

An optimization: each derivative must equal that of autograd. The kernels have no public name, so a later torch may
change or drop them. Each kernel is compared with autograd before its first use. If it is missing or differs, skorch's
steps with autograd run instead and give the same numbers.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

# The numbers of torch's kernels for the reductions, and for a class that no sample has.
_NONE, _MEAN, IGNORED = 0, 1, -100
_LOSS_KERNELS = ("nll_loss_forward", "nll_loss_backward", "_log_softmax_backward_data")


class Rule(NamedTuple):
    """An activation function and its derivative.

    `kernel` is the name of torch's kernel for the derivative, or empty. `backward` takes the kernel, the module, the
    gradient of the output, and the output if `from_output` is True, otherwise the input.
    """

    kernel: str
    forward: Callable[[Any, torch.Tensor], torch.Tensor]
    backward: Callable[[Any, Any, torch.Tensor, torch.Tensor], torch.Tensor]
    from_output: bool = False


#: Keys are exact classes, since a subclass may compute something else.
RULES: dict[type[nn.Module], Rule] = {
    nn.Identity: Rule("", lambda _, x: x, lambda _, m, g, x: g, True),
    nn.ReLU: Rule("threshold_backward", lambda _, x: x.relu_(), lambda kernel, m, g, a: kernel(g, a, 0), True),
    nn.Tanh: Rule("tanh_backward", lambda _, x: x.tanh_(), lambda kernel, m, g, a: kernel(g, a), True),
    nn.Sigmoid: Rule("sigmoid_backward", lambda _, x: x.sigmoid_(), lambda kernel, m, g, a: kernel(g, a), True),
    nn.LeakyReLU: Rule(
        "leaky_relu_backward",
        lambda m, x: functional.leaky_relu(x, m.negative_slope),
        lambda kernel, m, g, x: kernel(g, x, m.negative_slope, False),
    ),
    nn.ELU: Rule(
        "elu_backward",
        lambda m, x: functional.elu(x, m.alpha),
        lambda kernel, m, g, x: kernel(g, m.alpha, 1, 1, False, x),
    ),
    nn.GELU: Rule(
        "gelu_backward",
        lambda m, x: functional.gelu(x, approximate=m.approximate),
        lambda kernel, m, g, x: kernel(g, x, approximate=m.approximate),
    ),
    nn.SiLU: Rule("silu_backward", lambda _, x: functional.silu(x), lambda kernel, m, g, x: kernel(g, x)),
}


def find_kernel(name: str) -> Any:
    """Return torch's kernel of that name, or None."""
    return getattr(torch.ops.aten, name, None) if name else None


def cross_entropy(
    scores: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean cross-entropy and its gradient: probability less 1 at the true class, over the samples."""
    forward, backward, through_softmax = (find_kernel(name) for name in _LOSS_KERNELS)
    log_probabilities = torch.log_softmax(scores, 1)
    loss, total = forward(log_probabilities, target, None, _MEAN, IGNORED)
    of_loss = torch.ones_like(loss)
    if weight is not None:
        losses, _ = forward(log_probabilities, target, None, _NONE, IGNORED)
        weight = weight.to(scores.dtype)
        loss, of_loss = (losses * weight).mean(), weight / len(target)
    reduction = _MEAN if weight is None else _NONE
    inner = backward(of_loss, log_probabilities, target, None, reduction, IGNORED, total)
    return loss, through_softmax(inner, log_probabilities, 1, scores.dtype)


def squared_error(
    scores: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean squared error and its gradient: twice the difference, over the samples and outputs."""
    difference = scores - target
    gradient = difference if weight is None else difference * weight.to(scores.dtype).unsqueeze(1)
    return (gradient * difference).mean(), gradient * (2 / difference.numel())


def binary_cross_entropy(
    scores: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean binary cross-entropy and its gradient: probability less target, over the samples and labels."""
    target = target.to(scores.dtype)
    factor = None if weight is None else weight.to(scores.dtype).unsqueeze(1)
    loss = functional.binary_cross_entropy_with_logits(scores, target, factor)
    difference = torch.sigmoid(scores) - target
    return loss, (difference if factor is None else difference * factor) / difference.numel()


LOSSES: dict[type[nn.Module], Any] = {
    nn.CrossEntropyLoss: cross_entropy, nn.BCEWithLogitsLoss: binary_cross_entropy, nn.MSELoss: squared_error,
}  # fmt: skip


def has_derivative(kind: Any) -> bool:
    """Return whether a class of activation functions has a rule that gives autograd's derivative."""
    rule = RULES.get(kind)
    return rule is not None and _rule_equals_autograd(kind, find_kernel(rule.kernel))


def has_cross_entropy() -> bool:
    """Return whether `cross_entropy` gives autograd's loss and gradient."""
    return _cross_entropy_equals_autograd(*map(find_kernel, _LOSS_KERNELS))


@cache
def _rule_equals_autograd(kind: Any, kernel: Any) -> bool:
    rule, module = RULES[kind], kind()
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.linspace(-3, 3, 7, dtype=torch.float64, device="cpu", requires_grad=True)
        gradient = torch.linspace(1, 2, 7, dtype=torch.float64, device="cpu")
        (expected,) = torch.autograd.grad(module(x), x, gradient)
        given = x.detach().clone()
        try:
            output = rule.forward(module, given)
            found = rule.backward(kernel, module, gradient, output if rule.from_output else given)
        except Exception:  # a changed kernel may raise anything
            return False
    return torch.equal(found, expected)


@cache
def _cross_entropy_equals_autograd(*kernels: Any) -> bool:
    with torch.inference_mode(False), torch.enable_grad():
        scores = torch.linspace(-2, 3, 15, dtype=torch.float64, device="cpu").reshape(5, 3).sin().requires_grad_()
        target = torch.tensor([0, 2, 1, 1, 0], device="cpu")
        weights = torch.linspace(0.5, 1.5, 5, dtype=torch.float64, device="cpu")
        for weight in (None, weights):
            losses = functional.cross_entropy(scores, target, reduction="none")
            expected = (losses if weight is None else losses * weight).mean()
            (gradient,) = torch.autograd.grad(expected, scores)
            try:
                loss, found = cross_entropy(scores.detach(), target, weight)
            except Exception:  # a changed kernel may raise anything
                return False
            if not (torch.allclose(loss, expected) and torch.allclose(found, gradient)):
                return False
    return True
