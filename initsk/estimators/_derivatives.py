"""Activation functions and their derivatives, by autograd's own kernels."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

_ATEN = torch.ops.aten


class Rule(NamedTuple):
    """How an activation is computed, and the gradient behind it.

    `backward` takes the module, the gradient of its output, and what `forward` was given
    or, where `from_output` says so, what it returned.
    """

    forward: Callable[[Any, torch.Tensor], torch.Tensor]
    backward: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]
    from_output: bool


#: By the exact class: a subclass may do something else.
RULES: dict[type[nn.Module], Rule] = {
    nn.Identity: Rule(lambda _, x: x, lambda _, g, x: g, True),
    nn.ReLU: Rule(lambda _, x: x.relu_(), lambda _, g, a: _ATEN.threshold_backward(g, a, 0), True),
    nn.Tanh: Rule(lambda _, x: x.tanh_(), lambda _, g, a: _ATEN.tanh_backward(g, a), True),
    nn.Sigmoid: Rule(lambda _, x: x.sigmoid_(), lambda _, g, a: _ATEN.sigmoid_backward(g, a), True),
    nn.LeakyReLU: Rule(
        lambda m, x: nn.functional.leaky_relu(x, m.negative_slope),
        lambda m, g, x: _ATEN.leaky_relu_backward(g, x, m.negative_slope, False),
        False,
    ),
    nn.ELU: Rule(
        lambda m, x: nn.functional.elu(x, m.alpha),
        lambda m, g, x: _ATEN.elu_backward(g, m.alpha, 1, 1, False, x),
        False,
    ),
    nn.GELU: Rule(
        lambda m, x: nn.functional.gelu(x, approximate=m.approximate),
        lambda m, g, x: _ATEN.gelu_backward(g, x, approximate=m.approximate),
        False,
    ),
    nn.SiLU: Rule(
        lambda _, x: nn.functional.silu(x),
        lambda _, g, x: _ATEN.silu_backward(g, x),
        False,
    ),
}
