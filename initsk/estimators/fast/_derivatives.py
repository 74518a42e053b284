"""Activation functions and losses with their derivatives, by the kernels that autograd calls.

The kernels have no public name, so a later torch may change or drop them. Each is compared to autograd before its
first use. Where it is missing or differs, the steps with autograd run instead, which give the same numbers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import nn

# How torch's kernels number the reductions, and the class that no sample has.
_NONE, _MEAN, IGNORED = 0, 1, -100
_LOSS_KERNELS = ("nll_loss_forward", "nll_loss_backward", "_log_softmax_backward_data")


class Rule(NamedTuple):
    """How an activation is computed, and the gradient behind it.

    `kernel` is the name of torch's kernel for the derivative, if it needs one. `backward` takes the kernel, the module,
    the gradient of its output, and what `forward` was given or, where `from_output` is True, what it returned.
    """

    kernel: str
    forward: Callable[[Any, torch.Tensor], torch.Tensor]
    backward: Callable[[Any, Any, torch.Tensor, torch.Tensor], torch.Tensor]
    from_output: bool


#: By the exact class: a subclass may do something else.
RULES: dict[type[nn.Module], Rule] = {
    nn.Identity: Rule("", lambda _, x: x, lambda _, m, g, x: g, True),
    nn.ReLU: Rule("threshold_backward", lambda _, x: x.relu_(), lambda kernel, m, g, a: kernel(g, a, 0), True),
    nn.Tanh: Rule("tanh_backward", lambda _, x: x.tanh_(), lambda kernel, m, g, a: kernel(g, a), True),
    nn.Sigmoid: Rule("sigmoid_backward", lambda _, x: x.sigmoid_(), lambda kernel, m, g, a: kernel(g, a), True),
    nn.LeakyReLU: Rule(
        "leaky_relu_backward",
        lambda m, x: nn.functional.leaky_relu(x, m.negative_slope),
        lambda kernel, m, g, x: kernel(g, x, m.negative_slope, False),
        False,
    ),
    nn.ELU: Rule(
        "elu_backward",
        lambda m, x: nn.functional.elu(x, m.alpha),
        lambda kernel, m, g, x: kernel(g, m.alpha, 1, 1, False, x),
        False,
    ),
    nn.GELU: Rule(
        "gelu_backward",
        lambda m, x: nn.functional.gelu(x, approximate=m.approximate),
        lambda kernel, m, g, x: kernel(g, x, approximate=m.approximate),
        False,
    ),
    nn.SiLU: Rule("silu_backward", lambda _, x: nn.functional.silu(x), lambda kernel, m, g, x: kernel(g, x), False),
}


def find_kernel(name: str) -> Any:
    """Return torch's kernel, or None."""
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


def has_derivative(kind: Any) -> bool:
    """Return whether there is a rule for an activation function, and it gives what autograd gives."""
    rule = RULES.get(kind)
    return rule is not None and _rule_holds(kind, find_kernel(rule.kernel))


def has_cross_entropy() -> bool:
    """Return whether `cross_entropy` gives what autograd gives."""
    return _cross_entropy_holds(*map(find_kernel, _LOSS_KERNELS))


@cache
def _rule_holds(kind: Any, kernel: Any) -> bool:
    rule, module = RULES[kind], kind()
    with _autograd():
        x = torch.linspace(-3, 3, 7, dtype=torch.float64, device="cpu", requires_grad=True)
        gradient = torch.linspace(1, 2, 7, dtype=torch.float64, device="cpu")
        (expected,) = torch.autograd.grad(module(x), x, gradient)
        given = x.detach().clone()
        try:
            output = rule.forward(module, given)
            found = rule.backward(kernel, module, gradient, output if rule.from_output else given)
        except Exception:  # whatever a kernel raises that was changed
            return False
    return torch.equal(found, expected)


@cache
def _cross_entropy_holds(*kernels: Any) -> bool:
    with _autograd():
        scores = torch.linspace(-2, 3, 15, dtype=torch.float64, device="cpu").reshape(5, 3).sin().requires_grad_()
        target = torch.tensor([0, 2, 1, 1, 0], device="cpu")
        weights = torch.linspace(0.5, 1.5, 5, dtype=torch.float64, device="cpu")
        for weight in (None, weights):
            losses = nn.functional.cross_entropy(scores, target, reduction="none")
            expected = (losses if weight is None else losses * weight).mean()
            (gradient,) = torch.autograd.grad(expected, scores)
            try:
                loss, found = cross_entropy(scores.detach(), target, weight)
            except Exception:  # whatever a kernel raises that was changed
                return False
            if not (torch.allclose(loss, expected) and torch.allclose(found, gradient)):
                return False
    return True


@contextmanager
def _autograd() -> Iterator[None]:
    with torch.inference_mode(False), torch.enable_grad():
        yield
