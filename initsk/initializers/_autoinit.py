"""AutoInit: scale each layer by the calculated mean and variance of its input, without data."""

from math import prod

import torch

from initsk.exceptions import ModuleError
from initsk.initializers._variance_scaling import ZeroMeanDraw
from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._calibrate import is_calibrated, write_weight
from initsk.initializers.core._draws import DISTRIBUTIONS
from initsk.network import Layer, Moments, Network, ParameterSpec, SignalGraph
from initsk.utils.validation import integer, one_of, optional, real, sequence_of


class AutoInit(ZeroMeanDraw, Initializer):
    """Calculate the moments of every signal, and scale each layer so that its output has mean 0 and variance 1.

    Parameters
    ----------
    input_mean : float, default=0.0
        Mean of the network's input.
    input_variance : float, default=1.0
        Variance of the network's input, at least 0; mean and variance must not both be 0.
    distribution : {"normal", "truncated_normal", "uniform", "orthogonal"}, default="truncated_normal"
        Distribution of the weights; see `VarianceScaling`.
    input_shape : tuple of int or None, default=None
        Shape of one input without the batch axis; None takes the shape of X, if `initialize` has an X. Only needed if
        sizes matter: for adaptive pooling, means, padding, softmax, or cat of different signals before a layer.
        The network then runs once on zeros of this shape.

    Notes
    -----
    Formula: ``Var(W) = 1 / (fan_in (v + m^2))`` for linear and convolution layers whose input has mean ``m`` and
    variance ``v``; their output then has mean 0 and variance 1 (Bingham and Miikkulainen 2023, section 3). AutoInit
    assumes normal and independent signals, and calculates ``m`` and ``v`` as follows; torch.fx traces the module in
    training mode.

    - activation functions and other functions of one element: by Gaussian quadrature;
    - dropout: ``m`` stays, ``v + m^2`` is divided by ``1 - p``; alpha dropout changes nothing;
    - batch, layer, group and instance normalization: mean 0 and variance 1, then their own scale and shift; RMS
      normalization: divided by ``sqrt(v + m^2)``;
    - average pooling of `k` elements: ``m, v / k``; maximum pooling: mean and variance of the largest of `k`;
    - softmax over `k` elements: ``1 / k, 1 / k^2``;
    - sums: ``m1 + m2, v1 + v2``; products: ``m1 m2`` and mean square ``(v1 + m1^2) (v2 + m2^2)``; cat and constant
      padding: the mixture; embeddings: the moments of their values, which are drawn with variance 1;
    - reshaping, reflecting pads and interpolation change nothing.

    AutoInit uses the current weights and biases of layers that it does not set: frozen layers, and layers at their
    second call. AutoInit ignores zero padding inside of convolutions.

    Differences from the authors' code: it treats unknown operations as the identity and does not change recurrent
    layers, while this class raises an error if they come before a layer that it sets; its dropout divides only ``v``;
    it samples the moments of pooling, which this class calculates; and it takes mean 0 and variance 1 after batch and
    layer normalization, whatever their scale.

    Raises
    ------
    ModuleError
        By `initialize`, if the module cannot be traced, or has an operation without a rule before its last layer.

    Examples
    --------
    >>> from initsk import initialize
    >>> from initsk.initializers import AutoInit
    >>> from initsk.network import MLP
    >>> module = MLP(400, 300, (500,))
    >>> record = initialize(module, AutoInit(input_variance=4.0), random_state=0)
    >>> [round(layer.weight.var().item() * layer.in_features, 2) for layer in (module.hidden_1, module.output)]
    [0.25, 2.0]
    """

    name = "autoinit"
    family = "architecture-aware"
    formula = "Var(W) = 1 / (fan_in (v + m^2)), input of mean m and variance v by calculation"
    reference = "Bingham and Miikkulainen 2023, section 3"
    parameter_constraints = {
        "input_mean": real(), "input_variance": real(minimum=0), "distribution": one_of("distribution", DISTRIBUTIONS),
        "input_shape": optional(sequence_of(integer(1), "a tuple of integers >= 1")),
    }  # fmt: skip

    input_mean: float = 0.0
    input_variance: float = 1.0
    distribution: str = "truncated_normal"
    input_shape: tuple[int, ...] | None = None

    def variance_and_distribution(self, spec: ParameterSpec) -> tuple[float, str]:
        """Return ``1 / fan_in``, which `refine` corrects, or 1 for an embedding, and the distribution."""
        return 1.0 if spec.kind == "embedding" else 1 / spec.fan("fan_in"), self.distribution

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec, or None if they depend on the network."""
        return None if is_calibrated(spec) else super().expected_moments(spec)

    def refine(self, network: Network) -> None:
        """Calculate the moments in the order of the network and scale each layer."""

        def set_layer(layer: Layer, signals: list[Moments]) -> Moments:
            size = prod(signal.square for signal in signals)
            if size == 0:
                raise ModuleError(
                    f"AutoInit: the input of layer {layer.name!r} is zero (allowed: inputs that are not zero)"
                )
            write_weight("AutoInit", layer, layer.weight / size**0.5)
            moments = " and ".join(f"mean {signal.mean:.4g}, variance {signal.variance:.4g}" for signal in signals)
            network.note(layer.spec.name, f"AutoInit: input of {moments}")
            return Moments(0.0, 1.0)

        for layer in network.layers():
            if layer.weight.is_complex():
                raise ModuleError(f"AutoInit: the weight of layer {layer.name!r} is complex (allowed: real weights)")
        source = Moments(float(self.input_mean), float(self.input_variance))
        with network.mode(training=False), torch.no_grad():
            left = SignalGraph(network, source, self.input_shape, set_layer).walk()
        for layer in left:
            network.note(layer.spec.name, "AutoInit: not called in the forward pass")
