"""Initializers of biases: for the gates of recurrent layers, and for outputs with known probabilities."""

from math import log

import torch

from initsk.initializers._constant import Constant, Zeros
from initsk.initializers.core._answers import Choice, ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.network import ParameterSpec
from initsk.utils.validation import real


class _BiasInitializer(Initializer):
    """Base of initializers for ``bias_initializer=``, or for a rule of `PerParameter` that matches biases."""

    family = "biases"
    sets_biases = True

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return the initializer of a bias, or None for a weight."""
        return self._choose_for_bias(spec) if spec.role == "bias" else None

    def _choose_for_bias(self, spec: ParameterSpec) -> Choice:
        raise NotImplementedError

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None for a bias."""
        if spec.role == "bias":
            return None
        return f"fills biases, not a weight of shape {spec.shape} (allowed: as bias_initializer)"


class ForgetGateBias(_BiasInitializer):
    """Set the bias of the forget gate of LSTM layers, so that the gate is open at first; for ``bias_initializer=``.

    Parameters
    ----------
    value : float, default=1.0
        Bias of the forget gate. torch adds two bias vectors per gate: ``bias_ih`` gets `value`, and ``bias_hh`` zero.

    Raises
    ------
    InvalidParameterError
        When used on weights.

    Notes
    -----
    Formula: ``b_f = value``, every other bias zero (Jozefowicz et al. 2015, section 4). Keras' LSTM does the same with
    ``unit_forget_bias=True``; with torch's default biases the gate is half open.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import ForgetGateBias
    >>> lstm = torch.nn.LSTM(3, 1)
    >>> record = initialize(lstm, "glorot_uniform", bias_initializer=ForgetGateBias(), random_state=0)
    >>> lstm.bias_ih_l0.tolist()
    [0.0, 1.0, 0.0, 0.0]
    """

    name = "forget_gate_bias"
    synonyms = ("unit_forget_bias",)
    formula = "b_f = value, other biases 0"
    reference = "Jozefowicz, Zaremba and Sutskever 2015"
    parameter_constraints = {"value": real()}

    value: float = 1.0

    def _choose_for_bias(self, spec: ParameterSpec) -> Choice:
        opened = spec.block == "f" and spec.short_name.startswith("bias_ih")
        return Choice(Constant(self.value), "forget gate") if opened else Choice(Zeros(), "not a forget gate")


class ChronoBias(_BiasInitializer):
    """Set the gate biases of recurrent layers so that the memory is as long as the series; for ``bias_initializer=``.

    Parameters
    ----------
    max_length : float, default=100.0
        Longest dependency to remember, in steps; above 2.

    Raises
    ------
    InvalidParameterError
        When used on weights.

    Notes
    -----
    Formula: LSTM ``b_f = log(u)`` and ``b_i = -b_f`` with ``u ~ U(1, max_length - 1)`` for each unit; GRU
    ``b_z = log(u)``, because torch's update gate keeps the state; every other bias 0 (Tallec and Ollivier 2018,
    section 2). torch adds two bias vectors per gate: ``bias_ih`` gets these values, and ``bias_hh`` is zero. torch,
    Keras and JAX have no such initializer.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import ChronoBias
    >>> lstm = torch.nn.LSTM(3, 500)
    >>> record = initialize(lstm, "orthogonal", bias_initializer=ChronoBias(50), random_state=0)
    >>> input_gate, forget_gate, *others = lstm.bias_ih_l0.detach().chunk(4)
    >>> bool((input_gate == -forget_gate).all()), round(forget_gate.exp().max().item())
    (True, 49)
    """

    name = "chrono_bias"
    synonyms = ("chrono",)
    formula = "b_f = log(u), b_i = -log(u), u ~ U(1, max_length - 1), other biases 0"
    reference = "Tallec and Ollivier 2018, section 2"
    parameter_constraints = {"max_length": real(above=2)}

    max_length: float = 100.0

    def _choose_for_bias(self, spec: ParameterSpec) -> Choice:
        if spec.block in ("f", "i", "z") and spec.short_name.startswith("bias_ih"):
            return Choice(self, f"gate {spec.block} of a recurrent layer")
        return Choice(Zeros(), "no gate that keeps")

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        # A new generator with the same seed: both gates of a unit get the same draw.
        same_seed = torch.Generator(device="cpu").manual_seed(generator.initial_seed())
        times = torch.empty(spec.shape, dtype=dtype).uniform_(1, self.max_length - 1, generator=same_seed)
        return times.log_().mul_(-1 if spec.block == "i" else 1)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec."""
        chosen = self.choose(spec)
        if chosen is None or chosen.initializer is not self:
            return super().expected_moments(spec)
        top = self.max_length - 1
        mean = (top * log(top) - top + 1) / (top - 1)
        square = (top * log(top) ** 2 - 2 * top * log(top) + 2 * top - 2) / (top - 1)
        sign = -1 if spec.block == "i" else 1
        return ExpectedMoments(square - mean**2, sign * mean, max(mean, log(top) - mean), symmetric=False)


class PriorBias(_BiasInitializer):
    """Set the biases so that sigmoid outputs start at the prior probability of a rare class.

    Parameters
    ----------
    probability : float, default=0.01
        The sigmoid of the bias, between 0 and 1.

    Raises
    ------
    InvalidParameterError
        When used on weights.

    Notes
    -----
    Formula: ``b = log(p / (1 - p))`` (Lin et al. 2017, section 3.3, for detectors with focal loss). To set only the
    output layer: ``PerParameter([("prior", PriorBias(), "output.bias")])``. Keras uses a `Constant` for it; torchvision
    has it in its detection heads.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import PriorBias
    >>> head = torch.nn.Linear(8, 2)
    >>> record = initialize(head, "zeros", bias_initializer=PriorBias(0.1))
    >>> [round(value, 4) for value in torch.sigmoid(head(torch.zeros(8))).tolist()]
    [0.1, 0.1]
    """

    name = "prior_bias"
    formula = "b = log(p / (1 - p))"
    reference = "Lin et al. 2017, section 3.3"
    parameter_constraints = {"probability": real(above=0, below=1)}

    probability: float = 0.01

    def _choose_for_bias(self, spec: ParameterSpec) -> Choice:
        return Choice(Constant(log(self.probability / (1 - self.probability))), "prior probability")
