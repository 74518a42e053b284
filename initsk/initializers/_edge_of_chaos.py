"""The initializer that puts a deep network between order and chaos."""

from typing import ClassVar

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers._base import Initializer, Promise
from initsk.initializers._draws import DISTRIBUTIONS, draw_scaled
from initsk.initializers._site import Site
from initsk.initializers._variance_scaling import promise_of
from initsk.theory import ActivationLike, CriticalPoint, as_function, critical_point
from initsk.utils._validation import Constraint, one_of, optional, real, resolved_by


class EdgeOfChaos(Initializer):
    """Put a deep network where signals neither converge nor decorrelate with depth.

    Parameters
    ----------
    nonlinearity : str, callable or None, default=None
        The activation function; None reads the one that follows each layer (layers that feed
        none are treated as linear).
    bias_variance : float or None, default=None
        Variance of the biases, at least 0; None takes the smallest at which the critical point is stable: 0 for ReLU
        (which allows no other) and tanh, 0.173 for GELU, 0.555 for SiLU.
    distribution : {"normal", "truncated_normal", "uniform", "orthogonal"}, default="normal"
        Distribution of the weights; "orthogonal" keeps gradients from dispersing too (Pennington et al. 2017).

    Raises
    ------
    InvalidParameterError
        When used on a vector that is no bias, or with an activation function that has no stable critical point.

    Notes
    -----
    Law: ``Var(W) = sigma_w^2 / fan_in`` and ``b ~ N(0, bias_variance)``, with ``sigma_w^2`` on the critical line
    (`initsk.theory.critical_point`; Poole et al. 2016, Schoenholz et al. 2017): for tanh 1 without biases and 1.760955
    at bias variance 0.05, for ReLU 2, for GELU 1.983058. Softplus and shrinkage functions have no stable point
    and are refused.
    No framework has it; torch, Keras and JAX leave the variance of the biases at zero or to a number.

    Examples
    --------
    >>> from initsk.initializers import EdgeOfChaos
    >>> w = EdgeOfChaos("tanh", bias_variance=0.05).sample((500, 400), random_state=0)
    >>> round(w.var().item() * 400, 1)
    1.8
    """

    name = "edge_of_chaos"
    synonyms = ("critical",)
    family = "architecture-aware"
    law = "Var(W) = sigma_w^2 / fan_in, Var(b) = sigma_b^2, on the critical line"
    reference = "Schoenholz et al. 2017; Poole et al. 2016"
    sets_biases = True
    _constraints: ClassVar[dict[str, Constraint]] = {
        "nonlinearity": optional(resolved_by(as_function)),
        "bias_variance": optional(real(minimum=0)),
        "distribution": one_of("distribution", DISTRIBUTIONS),
    }

    def __init__(
        self,
        nonlinearity: ActivationLike | None = None,
        bias_variance: float | None = None,
        distribution: str = "normal",
    ) -> None:
        self.nonlinearity = nonlinearity
        self.bias_variance = bias_variance
        self.distribution = distribution

    @property
    def reads_architecture(self) -> bool:
        """Whether the activation functions are to be read from the module."""
        return self.nonlinearity is None

    def refuses(self, site: Site) -> str | None:
        """Say what the initializer needs and `site` does not have."""
        try:
            self._point(site)
        except InvalidParameterError as error:
            return f"is not for a layer whose {error}"
        return site.lacks_fans

    def _point(self, site: Site) -> CriticalPoint:
        activation = self.nonlinearity if self.nonlinearity is not None else site.activation
        # A linear layer has no room for biases on the critical line.
        return critical_point("linear", 0.0) if activation is None else critical_point(activation, self.bias_variance)

    def _law(self, site: Site) -> tuple[float, str]:
        point = self._point(site)
        if site.role == "bias":
            return point.bias_variance, "normal"
        return point.weight_variance / site.fan("fan_in"), self.distribution

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        variance, distribution = self._law(site)
        return draw_scaled(site.shape, variance, distribution, generator, dtype)

    def promise(self, site: Site) -> Promise:
        """Say what the values for `site` will be like."""
        variance, distribution = self._law(site)
        return promise_of(site, variance, distribution)
