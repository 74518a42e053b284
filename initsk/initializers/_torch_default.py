"""What torch itself does when nobody chooses."""

from math import prod

import torch

from initsk.initializers._base import Initializer
from initsk.initializers._site import Site
from initsk.initializers._variance_scaling import draw_scaled


class TorchDefault(Initializer):
    """Draw as torch's own layers do in ``reset_parameters``.

    Notes
    -----
    Law: linear and convolution layers, weight and bias, ``U(-b, b)`` with
    ``b = 1 / sqrt(fan_in)`` (written there as ``kaiming_uniform_(a=sqrt(5))``, variance
    ``1 / (3 fan_in)``); recurrent layers ``b = 1 / sqrt(hidden_size)``; embeddings
    ``N(0, 1)``; attention Xavier uniform over the fused projection with biases at zero.
    torch's fan_in is ``shape[1] * kernel``, for transposed convolutions too.

    Examples
    --------
    >>> from initsk.initializers import TorchDefault
    >>> bool(TorchDefault().sample((50, 100), random_state=0).abs().max() <= 0.1)
    True
    """

    family = "framework default"
    law = "W, b ~ U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))"
    reference = "torch.nn.Linear.reset_parameters"
    sets_biases = True

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        shape, weight = site.shape, site.weight_shape
        if site.kind == "embedding":
            return torch.randn(shape, generator=generator, dtype=dtype)
        if site.kind == "attention":
            if site.role == "bias":
                return torch.zeros(shape, dtype=dtype)
            return draw_scaled(shape, 2.0 / (weight[0] + weight[1]), "uniform", generator, dtype)
        fan = weight[1] * prod(weight[2:]) if len(weight) > 1 else prod(weight)
        if site.kind == "recurrent":
            fan = weight[0]
        return draw_scaled(shape, 1.0 / (3.0 * max(fan, 1)), "uniform", generator, dtype)
