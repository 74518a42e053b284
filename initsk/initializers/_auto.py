"""Initializers that follow the activation functions of the network."""

from typing import ClassVar

import numpy as np
import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers._base import Choice, Initializer, Promise
from initsk.initializers._draws import DISTRIBUTIONS, draw_scaled
from initsk.initializers._free import RandomNormal
from initsk.initializers._named_scaling import GlorotUniform, LeCunNormal
from initsk.initializers._orthogonal import Orthogonal
from initsk.initializers._siren import Siren
from initsk.initializers._site import Site
from initsk.initializers._variance_scaling import VarianceScaling, promise_of
from initsk.theory import (
    ActivationLike,
    CriticalPoint,
    OfMultiple,
    activation_label,
    as_function,
    critical_point,
    gain,
)
from initsk.utils._language import Sentence, message
from initsk.utils._validation import Constraint, one_of, optional, real, resolved_by

# Where a function levels off that saturates within the range of its input; ReLU6 goes on far beyond it.
_SATURATED = 2.0


class Auto(Initializer):
    """Read what follows each layer, and give it the initializer that suits.

    Notes
    -----
    Law: by the layer. Frameworks choose without looking: torch draws `TorchDefault`, Keras Glorot's uniform law.

    ============================================  =====================================================
    The layer                                     gets
    ============================================  =====================================================
    feeds a function that saturates on both       Glorot uniform (Glorot and Bengio 2010)
    sides, within -2 and 2: tanh, sigmoid,
    softsign
    feeds the sine of a multiple, ``sin(30 x)``   SIREN with that `omega_0`, biases too (Sitzmann et al. 2020)
    feeds any other function: ReLU, leaky ReLU,   normal with the variance ``gain^2 / fan_in``, by
    GELU, SiLU, ELU, SELU, a user's own           `initsk.theory.gain`: He's for ReLU (He et al. 2015)
    feeds none, or the output                     LeCun normal
    is recurrent                                  orthogonal from state to state (Saxe et al. 2013), Glorot
                                                  uniform from input
    is attention                                  Glorot uniform, projection by projection
    is an embedding                               ``N(0, 1 / width)``
    ============================================  =====================================================

    Which function follows is read by symbolic tracing (torch.fx) of the module's ``forward``, functions
    included; where a part cannot be traced, by the order in which its modules are registered.

    Examples
    --------
    >>> from initsk import initialize
    >>> from initsk.modules import MLP
    >>> record = initialize(MLP(4, 2, (8,), activation="tanh"), "auto", random_state=0)
    >>> record.to_frame()[["name", "why"]].iloc[0].tolist()
    ['hidden_1.weight', 'feeds tanh, which saturates']
    """

    name = "auto"
    family = "architecture-aware"
    law = "by the activation that follows each layer"
    reference = "Glorot and Bengio 2010; He et al. 2015; Saxe et al. 2013; Sitzmann et al. 2020"
    _reads_architecture = True

    def choose(self, site: Site) -> Choice | None:
        """Choose by the layer's kind and by what follows it."""
        if not site.is_known or (site.role == "bias" and not _is_sine(site.activation)):
            return None
        if site.kind == "recurrent":
            if site.short_name.startswith("weight_ih"):
                return Choice(GlorotUniform(), Sentence(message("from input to state")))
            return Choice(Orthogonal(), Sentence(message("from state to state")))
        if site.kind == "attention":
            return Choice(GlorotUniform(), Sentence(message("attention")))
        if site.kind == "embedding":
            return Choice(RandomNormal(site.weight_shape[1] ** -0.5), Sentence(message("embedding")))
        if site.activation is None:
            why = message("output layer") if site.place == "output" else message("feeds no activation function")
            return Choice(LeCunNormal(), Sentence(why))
        return _by_activation(site.activation)


def _is_sine(activation: ActivationLike | None) -> bool:
    """Say whether a function is the sine of a multiple, as in sine networks; a plain sine has a gain like others."""
    return isinstance(activation, OfMultiple) and activation_label(activation.activation) == "sin"


def _saturates(activation: ActivationLike) -> bool:
    """Say whether a function levels off on both sides, at different values; a sine is bounded, but does not."""
    far_left, left, right, far_right = as_function(activation)(np.array([-2e3, -1e3, 1e3, 2e3]))
    level = max(abs(far_left - left), abs(far_right - right)) < 0.01 < abs(right - left)
    return bool(level and max(abs(left), abs(right)) <= _SATURATED)


def _by_activation(activation: ActivationLike) -> Choice:
    label = activation_label(activation)
    if isinstance(activation, OfMultiple) and _is_sine(activation):
        return Choice(Siren(abs(activation.factor)), Sentence(message("feeds {activation}"), activation=label))
    if _saturates(activation):
        return Choice(GlorotUniform(), Sentence(message("feeds {activation}, which saturates"), activation=label))
    why = Sentence(message("feeds {activation}, of gain {gain}"), activation=label, gain=gain(activation))
    return Choice(VarianceScaling(nonlinearity=activation), why)


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
