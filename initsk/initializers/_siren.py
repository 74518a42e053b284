"""Sine networks."""

from math import prod, sqrt
from typing import ClassVar

import torch

from initsk.initializers.core._base import ExpectedMoments, Initializer
from initsk.initializers.core._draws import bound_of, draw_scaled, draw_uniform
from initsk.network import ParameterSpec
from initsk.utils.validation import Constraint, real


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
    formula = "first layer U(-1/n, 1/n), then U(-b, b), b = sqrt(6/n) / omega_0, biases U(+-1/sqrt(n)), n = fan_in"
    reference = "Sitzmann et al. 2020, section 3.2"
    sets_biases = True
    draw_never_fails = True
    reads_architecture = True
    parameter_constraints: ClassVar[dict[str, Constraint]] = {"omega_0": real(above=0)}

    def __init__(self, omega_0: float = 30.0) -> None:
        self.omega_0 = omega_0

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Say what the initializer needs and `spec` does not have."""
        return spec.missing_fans

    def _bound(self, spec: ParameterSpec) -> float:
        fan_in = spec.fan("fan_in")
        if spec.role == "bias":
            return sqrt(1 / fan_in)
        return 1 / fan_in if spec.place == "input" else sqrt(6 / fan_in) / self.omega_0

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        bound = self._bound(spec)
        return draw_uniform(spec.shape, bound, generator=generator, dtype=dtype)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Say what the values for `spec` will be like."""
        bound = self._bound(spec)
        return ExpectedMoments(bound**2 / 3, bound=bound)


class TorchDefault(Initializer):
    """Draw as torch's own layers do in ``reset_parameters``.

    Notes
    -----
    Law: linear and convolution layers, weight and bias, ``U(-b, b)`` with
    ``b = 1 / sqrt(fan_in)`` (written there as ``kaiming_uniform_(a=sqrt(5))``, variance
    ``1 / (3 fan_in)``); recurrent layers ``b = 1 / sqrt(hidden_size)``; bilinear layers ``b = 1 / sqrt(in1_features)``;
    embeddings ``N(0, 1)``; attention Xavier uniform over the fused projection, its output projection as a linear
    layer, its biases at zero and `bias_k` and `bias_v` Xavier normal.
    torch's fan_in is ``shape[1] * kernel``, for transposed convolutions too. ``torch.nn.Transformer`` draws all of its
    matrices anew by Xavier's uniform law when it is built; here they get what their layers draw.

    Examples
    --------
    >>> from initsk.initializers import TorchDefault
    >>> bool(TorchDefault().sample((50, 100), random_state=0).abs().max() <= 0.1)
    True
    """

    name = "torch_default"
    family = "framework default"
    formula = "W, b ~ U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))"
    reference = "torch.nn.Linear.reset_parameters"
    sets_biases = True
    draw_never_fails = True

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        variance, distribution = _law(spec)
        return draw_scaled(spec.shape, variance, distribution, generator, dtype)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Say what the values for `spec` will be like."""
        variance, distribution = _law(spec)
        return ExpectedMoments(variance, bound=bound_of(variance, distribution))


def _law(spec: ParameterSpec) -> tuple[float, str]:
    """Return the variance and the distribution of torch's own start."""
    weight = spec.weight_shape
    if spec.kind == "embedding":
        return 1.0, "normal"
    if spec.kind == "attention" and not (spec.block == "o" and spec.role == "weight"):
        if spec.short_name in ("bias_k", "bias_v"):
            return 1.0 / spec.shape[-1], "normal"
        return (0.0 if spec.role == "bias" else 2.0 / (weight[0] + weight[1])), "uniform"
    if spec.kind == "recurrent":
        # A projection of the state has the hidden size as its columns, everything else as its rows.
        fan = spec.shape[1 if spec.short_name.startswith("weight_hr") else 0]
    elif spec.kind == "bilinear":
        fan = weight[1]
    else:
        fan = weight[1] * prod(weight[2:]) if len(weight) > 1 else prod(weight)
    return 1.0 / (3.0 * max(fan, 1)), "uniform"
