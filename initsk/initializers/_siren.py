"""Initializers for sine networks."""

from math import sqrt

import torch

from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._draws import draw_uniform
from initsk.network import ParameterSpec
from initsk.utils.validation import real


class Siren(Initializer):
    """Preserve the distribution of the signal through sine networks, with a separate formula for the first layer.

    Every hidden layer of the network must compute ``sin(omega_0 (W x + b))``.

    Parameters
    ----------
    omega_0 : float, default=30.0
        Factor inside the sine, above 0.

    Raises
    ------
    InvalidParameterError
        When used on a vector that is not a bias.

    Notes
    -----
    Formula: first layer ``W ~ U(-1 / fan_in, 1 / fan_in)``; the others ``U(-b, b)`` with
    ``b = sqrt(6 / fan_in) / omega_0`` (Sitzmann et al. 2020, theorem 1.8 and section 3.2). The first
    layer is read from the module; `sample` draws for a later layer. The paper does not specify the biases. As in the
    authors' code they are torch's, ``U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))``: without biases the network is an odd
    function.

    Examples
    --------
    >>> from initsk.initializers import Siren
    >>> bool(Siren().sample((50, 6), random_state=0).abs().max() <= 1 / 30)
    True
    """

    name = "siren"
    family = "architecture-aware"
    formula = "first layer U(-1/n, 1/n), then U(-b, b), b = sqrt(6/n) / omega_0, biases U(+-1/sqrt(n)), n = fan_in"
    reference = "Sitzmann et al. 2020, section 3.2"
    sets_biases = True
    draw_never_fails = True
    draws_blocks = True
    reads_architecture = True
    parameter_constraints = {"omega_0": real(above=0)}

    omega_0: float = 30.0

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        return spec.missing_fans

    def _bound(self, spec: ParameterSpec) -> float:
        fan_in = spec.fan("fan_in")
        if spec.role == "bias":
            return sqrt(1 / fan_in)
        return 1 / fan_in if spec.place == "input" else sqrt(6 / fan_in) / self.omega_0

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        return draw_uniform(spec.stacked_shape, self._bound(spec), generator=generator, dtype=dtype)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Return the expected moments of the values for a spec."""
        bound = self._bound(spec)
        return ExpectedMoments(bound**2 / 3, bound=bound)
