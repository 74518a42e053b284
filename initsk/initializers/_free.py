"""Initializers that do not look at the layer: zeros and random normal."""

from typing import ClassVar

import torch

from initsk.initializers._base import Initializer
from initsk.initializers._site import Site
from initsk.utils._validation import Constraint, real


class Zeros(Initializer):
    """Set every weight to zero.

    All units of a layer then compute the same and receive the same gradient; with
    ReLU and zero biases no hidden weight ever moves. Right for biases, wrong for weights.

    Notes
    -----
    Law: ``W = 0``.

    Examples
    --------
    >>> from initsk.initializers import Zeros
    >>> Zeros().sample((2, 3)).sum().item()
    0.0
    """

    family = "constant"
    law = "W = 0"
    reference = "Rumelhart, Hinton and Williams 1986 (why it fails: symmetry)"

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return torch.zeros(site.shape, dtype=dtype)


class RandomNormal(Initializer):
    """Draw from a normal distribution of fixed standard deviation.

    Parameters
    ----------
    std : float, default=0.01
        Standard deviation, at least 0.
    mean : float, default=0.0
        Mean.

    Notes
    -----
    Law: ``W ~ N(mean, std^2)``, whatever the layer's size, so the signal shrinks or
    grows with depth unless `std` happens to fit. Used with 0.01 by Krizhevsky et al. 2012.

    Examples
    --------
    >>> from initsk.initializers import RandomNormal
    >>> round(RandomNormal(std=0.01).sample((500, 400), random_state=0).std().item(), 3)
    0.01
    """

    family = "free"
    law = "W ~ N(mean, std^2)"
    reference = "Krizhevsky, Sutskever and Hinton 2012, section 5 (std 0.01)"
    _constraints: ClassVar[dict[str, Constraint]] = {"std": real(minimum=0), "mean": real()}

    def __init__(self, std: float = 0.01, mean: float = 0.0) -> None:
        self.std = std
        self.mean = mean

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return torch.randn(site.shape, generator=generator, dtype=dtype).mul_(self.std).add_(self.mean)
