"""Initializers that follow the activation functions of the network."""

from math import prod
from typing import Any

import numpy as np

from initsk import theory
from initsk.exceptions import InvalidParameterError
from initsk.initializers._auto_factors import Factor, factors_of
from initsk.initializers._constant import Zeros
from initsk.initializers._general_scaling import VarianceScaling
from initsk.initializers._orthogonal import Orthogonal
from initsk.initializers._siren import Siren
from initsk.initializers._unscaled import RandomNormal
from initsk.initializers._variance_scaling import GlorotUniform, ZeroMeanDraw
from initsk.initializers.core._answers import Choice
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._draws import DISTRIBUTIONS
from initsk.initializers.core._wrapper import Centered, Scaled
from initsk.network import ParameterSpec
from initsk.utils.reason import Reason
from initsk.utils.validation import one_of, optional, real, resolved_by

# Largest limit of a function that counts as saturating. ReLU6 levels off at 6 and does not count.
_MAX_LIMIT = 2.0
#: Number of hidden layers from which a network is deep.
DEEP = 5
# In a deep network, the depth scale must reach through this many times the number of layers.
_MARGIN = 10
# Largest slope of a stable length map. ReLU keeps every length, so its slope is 1 up to rounding.
_MAX_STABLE_SLOPE = 1 + 1e-6
# Variance times fan_in of layers between normalizations: SmallInit of Nguyen and Salazar 2019. With GPT-2's standard
# deviation of 0.02, it is 0.31 in the smallest model, of width 768.
_SMALL = 0.4
# Step of numerical slopes at 0; values below it count as zero.
_STEP = 1e-4


class Auto(Initializer):
    """Choose an initializer for each layer by the activation function after it, its kind and its depth.

    Notes
    -----
    Formula: that of the chosen initializer. Frameworks draw without regard to activation functions: torch draws
    `TorchDefault`, Keras Glorot uniform.

    ============================================  =====================================================
    Layer                                         Initializer
    ============================================  =====================================================
    feeds a function that saturates on both       orthogonal with Glorot's variance (Glorot and Bengio 2010), in a
    sides, within -2 and 2: tanh, sigmoid,        network of 5 hidden layers or more with LeCun's, ``1 / fan_in``
    softsign
    feeds the sine of a multiple, ``sin(30 x)``   SIREN with that `omega_0`, biases too (Sitzmann et al. 2020)
    feeds any other function: ReLU, leaky ReLU,   orthogonal with the variance ``gain^2 / fan_in``, by
    GELU, SiLU, ELU, SELU, a user's own           `initsk.theory.gain`: He's for ReLU (He et al. 2015)
    does so and takes the network's input         at most ``1 / fan_in``, unless a factor of the function's input is
                                                  one of its output, as for ReLU
    does so in a deep network whose signal does   orthogonal on the critical line, biases too, as `EdgeOfChaos`
    not reach that deep: GELU, SiLU, sine         (Schoenholz et al. 2017; Pennington et al. 2017)
    ... or the function has a value at 0:         orthogonal, `Centered`, with the variance ``1 / (f'(0)^2 fan_in)``:
    sigmoid (from 3 hidden layers on)             for sigmoid 16 / fan_in
    feeds none                                    orthogonal with LeCun's variance
    gives the output: no function follows, or     as above, with a third of the variance, so that the loss begins near
    one that saturates, and no normalization      that of a constant prediction; not after the states of a recurrent
                                                  layer, which are small
    is the last of a residual branch, one of n    as above, divided by the root of n (Radford et al. 2019)
    takes a sum of n values of equal weight, as   as above, divided by the growth of the signal, the root of
    over the neighbours of a node                 ``n (1 + (n - 1) c)``, with the correlation ``c`` of these values
    enters products of p signals, more than 2     as above, with the variance divided by the p-th root of
                                                  ``(2 p - 1)!!``, the mean of ``x^(2 p)`` for normal x
    makes queries of attention whose scores are   as above, divided by the root of the number of products in a score
    not divided                                   (Raffel et al. 2020, T5)
    only modulates a signal by a condition        zeros (Peebles and Xie 2023, adaLN-Zero)
    is recurrent                                  orthogonal from state to state (Saxe et al. 2013), Glorot
                                                  uniform from input
    is attention                                  Glorot uniform, projection by projection
    is dense or attention, on a residual branch   normal with the variance ``0.4 / fan_in`` (Nguyen and Salazar 2019,
    of a block that normalizes before it or       SmallInit), whatever function follows
    after the addition
    is an embedding                               ``N(0, 1 / width)``, divided by the factor before a head that shares
                                                  it; ``N(0, 1)`` if its rows reach a layer as they are;
                                                  ``N(0, 0.02^2)`` if they are added to scores of attention
    ============================================  =====================================================

    An orthogonal matrix scales all directions equally, while a draw of independent values nearly loses some of them
    (Saxe et al. 2013; Hu et al. 2020). The gain makes up for what the function before a layer takes from the signal,
    and no function comes before the first layer (He et al. 2015, section 2.2).

    The signal reaches the output if the variance of the pre-activations returns to a fixed point, and the depth scale
    (`initsk.theory.MeanField`) is at least the number of hidden layers, in deep networks at least ten times this
    number. Hidden layers are counted on the shortest path from input to output, so residual branches do not make a
    network deep.

    A condition is a function of other inputs than those of the signal. A layer modulates if all that it does is to
    multiply a signal by one plus its output, to gate a residual branch, or to shift such a product. Weighted sums, such
    as those of attention, and means do not count as sums. Parameters that scale a signal value by value, such as those
    of LayerScale and ReZero, keep the values of their author.

    `initsk.network.read` runs the module once and recognizes the activation function after each layer by its values,
    whether it is a module, a function or several operations. If the module runs on no input that is known or tried, the
    order of registration of its layers decides.

    Examples
    --------
    >>> from initsk import initialize
    >>> from initsk.network import MLP
    >>> record = initialize(MLP(4, 2, (8,), activation="tanh"), "auto", random_state=0)
    >>> record.to_frame()[["name", "why"]].iloc[0].tolist()
    ['hidden_1.weight', 'feeds tanh, which saturates']
    """

    name = "auto"
    family = "architecture-aware"
    formula = "by the activation that follows each layer, depth and residual branches"
    reference = "Glorot and Bengio 2010; He et al. 2015; Saxe et al. 2013; Schoenholz et al. 2017; Sitzmann et al. 2020"
    reads_architecture = True

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return the initializer for the layer's kind, activation function and place in the network."""
        if not spec.is_known:
            return None
        if spec.role == "bias":
            return self._of_bias(spec)
        if spec.use.modulates:
            return Choice(Zeros(), Reason("modulates a signal by a condition: the identity at first"))
        choice, factors = self._of_weight(spec), _factors(spec)
        if not factors:
            return choice
        value, why = prod(factor.value for factor in factors), choice.why
        for factor in factors:
            why = Reason("{first}; {second}", first=why, second=factor.why)
        return Choice(Scaled(choice.initializer, float(f"{value:.6g}")), why)

    @staticmethod
    def sources(spec: ParameterSpec) -> str:
        """Return the sources of the rules for a weight's surroundings, beside that of its initializer; "" without."""
        if spec.role != "weight":
            return ""
        if spec.use.modulates:
            return "Peebles and Xie 2023, section 3.2 (adaLN-Zero)"
        small = ["Nguyen and Salazar 2019 (SmallInit)"] if _is_in_transformer_block(spec) else []
        return "; ".join([*small, *(factor.reference for factor in _factors(spec) if factor.reference)])

    @staticmethod
    def _of_bias(spec: ParameterSpec) -> Choice | None:
        """Return the initializer of the weights if it also sets biases, else None."""
        if spec.activation is None or spec.kind in ("recurrent", "attention", "embedding"):
            return None
        choice = _by_activation(spec.activation, spec)
        return choice if choice.initializer.sets_biases else None

    @staticmethod
    def _of_weight(spec: ParameterSpec) -> Choice:
        if spec.kind == "recurrent":
            if spec.short_name.startswith("weight_ih"):
                return Choice(GlorotUniform(), Reason("from input to state"))
            return Choice(Orthogonal(), Reason("from state to state"))
        if _is_in_transformer_block(spec):
            return Choice(VarianceScaling(_SMALL), Reason("in a residual branch of a block with a normalization"))
        if spec.kind == "attention":
            return Choice(GlorotUniform(), Reason("attention"))
        if spec.kind == "embedding":
            return _of_table(spec)
        if spec.activation is None:
            last = spec.place == "output"
            return Choice(_orthogonal(), Reason("output layer") if last else Reason("feeds no activation function"))
        return _by_activation(spec.activation, spec)


def _is_in_transformer_block(spec: ParameterSpec) -> bool:
    """Return whether a dense layer, or attention, lies on a branch of a pre-norm or post-norm block."""
    return spec.kind in ("dense", "attention") and spec.branch is not None and bool(spec.branch.block)


def _factors(spec: ParameterSpec) -> list[Factor]:
    scores = spec.activation is None or _saturates(spec.activation)
    return factors_of(spec, scores=scores, variance=_SMALL if _is_in_transformer_block(spec) else 1.0)


def _of_table(spec: ParameterSpec) -> Choice:
    if spec.use.feeds == "layer":
        return Choice(RandomNormal(1.0), Reason("embedding that feeds a layer as it is"))
    if spec.use.feeds == "scores":
        return Choice(RandomNormal(0.02), Reason("is added to the scores of attention"))
    return Choice(RandomNormal(spec.weight_shape[1] ** -0.5 / spec.use.head_factor), Reason("embedding"))


def _saturates(activation: theory.ActivationLike) -> bool:
    """Return whether a function levels off on both sides at different values of at most `_MAX_LIMIT`."""
    far_left, left, right, far_right = theory.as_function(activation)(np.array([-2e3, -1e3, 1e3, 2e3]))
    level = max(abs(far_left - left), abs(far_right - right)) < 0.01 < abs(right - left)
    return bool(level and max(abs(left), abs(right)) <= _MAX_LIMIT)


def _is_homogeneous(activation: theory.ActivationLike) -> bool:
    """Return whether a positive factor of the input is one of the output, as for ReLU."""
    values, doubled = theory.as_function(activation)(np.array([[-1.0, 1.0], [-2.0, 2.0]]))
    return bool(np.allclose(2 * values, doubled))


def _orthogonal(**options: Any) -> Initializer:
    return VarianceScaling(distribution="orthogonal", **options).special_case()


def _by_activation(activation: theory.ActivationLike, spec: ParameterSpec) -> Choice:
    layers, takes_input = spec.n_hidden, spec.place == "input"
    label = theory.activation_label(activation)
    if isinstance(activation, theory.OfMultiple) and theory.activation_label(activation.activation) == "sin":
        # The sine of a multiple, as in sine networks. A plain sine has a gain, like other functions.
        return Choice(Siren(abs(activation.factor)), Reason("feeds {activation}", activation=label))
    saturates = _saturates(activation)
    reach = _reach(activation, 1.0 if saturates else theory.gain(activation) ** 2)
    critical = _critical(activation) if layers > (reach / _MARGIN if layers >= DEEP else reach) else None
    if critical is not None:
        values = {"activation": label, "layers": layers}
        return Choice(
            critical, Reason("feeds {activation}, and a depth of {layers} needs its critical variances", **values)
        )
    if saturates:
        chosen = _orthogonal() if layers >= DEEP else _orthogonal(mode="fan_avg")
        return Choice(chosen, Reason("feeds {activation}, which saturates", activation=label))
    if takes_input and theory.gain(activation) > 1 and not _is_homogeneous(activation):
        return Choice(_orthogonal(), Reason("takes the network's input, and feeds {activation}", activation=label))
    why = Reason("feeds {activation} (gain {gain})", activation=label, gain=theory.gain(activation))
    return Choice(_orthogonal(activation=activation), why)


@theory.cached
def _reach(activation: theory.ActivationLike, weight_variance: float) -> float:
    """Return the number of layers that a signal passes; below `DEEP` if its length grows without bound."""
    try:
        field = theory.MeanField(activation, weight_variance)
        return field.depth_scales().reach if field.length_slope < _MAX_STABLE_SLOPE else DEEP - 1.0
    except InvalidParameterError:
        # The function has no mean over a normal distribution.
        return float("inf")


@theory.cached
def _critical(activation: theory.ActivationLike) -> Initializer | None:
    """Return an initializer that keeps signals at any depth, or None if there is none."""
    below, shift, above = theory.as_function(activation)(np.array([-_STEP, 0.0, _STEP]))
    slope = abs(above - below) / (2 * _STEP)
    if abs(shift) > _STEP and slope > _STEP and _saturates(activation):
        # Without its shift, the function has a critical point that depends on its slope at 0.
        return Centered(VarianceScaling(float(f"{slope**-2:.6g}"), distribution="orthogonal"))
    try:
        theory.critical_point(activation)
    except InvalidParameterError:
        return None
    return EdgeOfChaos(activation, distribution="orthogonal")


class EdgeOfChaos(ZeroMeanDraw, Initializer):
    """Draw at the critical point, where signals neither converge nor decorrelate with depth.

    Parameters
    ----------
    activation : str, callable or None, default=None
        The activation function; None takes the function after each layer (a layer without one
        counts as linear).
    bias_variance : float or None, default=None
        Variance of the biases, at least 0; None takes the smallest variance with a stable critical point: 0 for ReLU
        (which allows no other) and tanh, 0.173 for GELU, 0.555 for SiLU.
    distribution : {"normal", "truncated_normal", "uniform", "orthogonal"}, default="normal"
        Distribution of the weights; "orthogonal" keeps gradients from dispersing too (Pennington et al. 2017).

    Raises
    ------
    InvalidParameterError
        When used on a vector that is not a bias, or with an activation function without a stable critical point.

    Notes
    -----
    Formula: ``Var(W) = sigma_w^2 / fan_in`` and ``b ~ N(0, bias_variance)``, with ``sigma_w^2`` on the critical line
    (`initsk.theory.critical_point`; Poole et al. 2016, Schoenholz et al. 2017): for tanh 1 without biases and 1.760955
    at bias variance 0.05, for ReLU 2, for GELU 1.983058. Softplus and shrinkage functions have no stable
    critical point and raise. torch, Keras and JAX have no such initializer.

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
    formula = "Var(W) = sigma_w^2 / fan_in, Var(b) = sigma_b^2, on the critical line"
    reference = "Schoenholz et al. 2017; Poole et al. 2016"
    sets_biases = True
    parameter_constraints = {
        "activation": optional(resolved_by(theory.as_function)),
        "bias_variance": optional(real(minimum=0)),
        "distribution": one_of("distribution", DISTRIBUTIONS),
    }

    activation: theory.ActivationLike | None = None
    bias_variance: float | None = None
    distribution: str = "normal"

    @property
    def reads_architecture(self) -> bool:
        """Whether the initializer needs the activation functions of the module."""
        return self.activation is None

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        try:
            self._point(spec)
        except InvalidParameterError as error:
            return f"is not for a layer whose {error}"
        return spec.missing_fans

    def _point(self, spec: ParameterSpec) -> theory.CriticalPoint:
        activation = self.activation if self.activation is not None else spec.activation
        if activation is None:
            # On the critical line, a linear layer has zero biases.
            return theory.critical_point("linear", 0.0)
        return theory.critical_point(activation, self.bias_variance)

    def variance_and_distribution(self, spec: ParameterSpec) -> tuple[float, str]:
        """Return the variance on the critical line, and the distribution."""
        point = self._point(spec)
        if spec.role == "bias":
            return point.bias_variance, "normal"
        return point.weight_variance / spec.fan("fan_in"), self.distribution
