"""Sine networks."""

from math import sqrt
from typing import ClassVar

import torch

from initsk.initializers._base import Initializer, Promise
from initsk.initializers._draws import draw_uniform
from initsk.initializers._site import Site
from initsk.utils._validation import Constraint, real


class Siren(Initializer):
    """Spread the pre-activations of sine networks evenly, the first layer apart.

    The network is to compute ``sin(omega_0 (W x + b))`` in every hidden layer.

    Parameters
    ----------
    omega_0 : float, default=30.0
        Factor inside of the sine, above 0.

    Raises
    ------
    InvalidParameterError
        When used on a vector that is no bias.

    Notes
    -----
    Law: first layer ``W ~ U(-1 / fan_in, 1 / fan_in)``; the others ``U(-b, b)`` with
    ``b = sqrt(6 / fan_in) / omega_0`` (Sitzmann et al. 2020, theorem 1.8 and section 3.2). Which layer is the first is
    read from the module; a bare shape is taken for a later one. The paper leaves the biases open; as in the authors'
    code they are torch's, ``U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))``: without any the network is an odd function.

    Examples
    --------
    >>> from initsk.initializers import Siren
    >>> bool(Siren().sample((50, 6), random_state=0).abs().max() <= 1 / 30)
    True
    """

    name = "siren"
    family = "architecture-aware"
    law = "first layer U(-1/n, 1/n), then U(-b, b), b = sqrt(6/n) / omega_0, biases U(+-1/sqrt(n)), n = fan_in"
    reference = "Sitzmann et al. 2020, section 3.2"
    sets_biases = True
    _draws_surely = True
    _reads_architecture = True
    _constraints: ClassVar[dict[str, Constraint]] = {"omega_0": real(above=0)}

    def __init__(self, omega_0: float = 30.0) -> None:
        self.omega_0 = omega_0

    def refuses(self, site: Site) -> str | None:
        """Say what the initializer needs and `site` does not have."""
        return site.lacks_fans

    def _bound(self, site: Site) -> float:
        fan_in = site.fan("fan_in")
        if site.role == "bias":
            return sqrt(1 / fan_in)
        return 1 / fan_in if site.place == "input" else sqrt(6 / fan_in) / self.omega_0

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        bound = self._bound(site)
        return draw_uniform(site.shape, bound, generator=generator, dtype=dtype)

    def promise(self, site: Site) -> Promise:
        """Say what the values for `site` will be like."""
        bound = self._bound(site)
        return Promise(bound**2 / 3, bound=bound)
