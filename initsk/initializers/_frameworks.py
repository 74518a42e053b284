"""Names and defaults of other frameworks: what each draws, over the tensors as it stores them."""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

from torch.nn.init import calculate_gain

from initsk.initializers._constant import Constant, Dirac, Identity, Ones, Zeros
from initsk.initializers._general_scaling import VarianceScaling
from initsk.initializers._orthogonal import DeltaOrthogonal, Orthogonal
from initsk.initializers._unscaled import RandomNormal, RandomUniform, TruncatedNormal
from initsk.initializers._variance_scaling import ZeroMeanDraw
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._from_framework import FUNCTIONS, SYNONYMS, UNRESOLVED, FrameworkFunction
from initsk.initializers.core._wrapper import AsStored
from initsk.network import ParameterSpec
from initsk.utils.validation import Constraint, integer, one_of, real


class TorchDefault(ZeroMeanDraw, Initializer):
    """Draw as torch's own layers do in ``reset_parameters``.

    Notes
    -----
    Formula: linear and convolution layers, weight and bias, ``U(-b, b)`` with
    ``b = 1 / sqrt(fan_in)`` (written there as ``kaiming_uniform_(a=sqrt(5))``, variance
    ``1 / (3 fan_in)``); recurrent layers ``b = 1 / sqrt(hidden_size)``; bilinear layers ``b = 1 / sqrt(in1_features)``;
    embeddings ``N(0, 1)``; attention: Xavier uniform over the fused projection, the output projection as a linear
    layer, zero biases, and Xavier normal for `bias_k` and `bias_v`.
    torch's fan_in is ``shape[1] * kernel``, for transposed convolutions too. ``torch.nn.Transformer`` draws all its
    matrices again with Xavier's uniform distribution when it is built; here they get what their layers draw.

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

    def variance_and_distribution(self, spec: ParameterSpec) -> tuple[float, str]:
        """Return the variance and the distribution of torch's own initialization."""
        weight = spec.weight_shape
        if spec.kind == "embedding":
            return 1.0, "normal"
        if spec.kind == "attention" and not (spec.block == "o" and spec.role == "weight"):
            if spec.short_name in ("bias_k", "bias_v"):
                return 1.0 / spec.shape[-1], "normal"
            return (0.0 if spec.role == "bias" else 2.0 / (weight[0] + weight[1])), "uniform"
        if spec.kind == "recurrent":
            # The hidden size is the number of columns of a projection of the state, and of rows of other weights.
            fan = spec.shape[1 if spec.short_name.startswith("weight_hr") else 0]
        elif spec.kind == "bilinear":
            fan = weight[1]
        else:
            fan = weight[1] * prod(weight[2:]) if len(weight) > 1 else prod(weight)
        return 1.0 / (3.0 * max(fan, 1)), "uniform"


def _nonlinearity(value: Any) -> str | None:
    """Allow the names that torch has gains for."""
    try:
        calculate_gain(value)
    except ValueError:
        return "a name that torch.nn.init.calculate_gain knows, such as 'tanh'"
    return None


_STD = ("std", 1.0, real(minimum=0))
_STDDEV = ("stddev", 0.01, real(minimum=0))
_MEAN = ("mean", 0.0, real())
_GAIN = ("gain", 1.0, real(above=0))
_SCALE = ("scale", 1.0, real(above=0))
_BOUNDS = ("a", -2.0, real()), ("b", 2.0, real())
_MODE = ("mode", "fan_in", one_of("mode", ("fan_in", "fan_out", "fan_avg")))
_DISTRIBUTIONS = ("truncated_normal", "normal", "uniform")
_RECTIFIER = (
    ("a", 0, real()),
    ("mode", "fan_in", one_of("mode", ("fan_in", "fan_out"))),
    ("nonlinearity", "leaky_relu", _nonlinearity),
)


def _function(
    make: Callable[..., Initializer], *parameters: tuple[str, Any, Constraint], ordered: tuple[str, ...] = ()
) -> FrameworkFunction:
    """Return a function of a framework; the parameters are tuples of name, default and constraint."""
    defaults = {name: default for name, default, _ in parameters}
    return FrameworkFunction(make, defaults, {name: allowed for name, _, allowed in parameters}, ordered)


def _family(framework: str, normal: str) -> dict[str, FrameworkFunction]:
    """Return Glorot, He and LeCun with a framework's fans and its meaning of "normal"."""
    rows = {"glorot": (1.0, "fan_avg"), "he": (2.0, "fan_in"), "lecun": (1.0, "fan_in")}
    return {
        f"{name}_{suffix}": _function(partial(_scaling, framework, scale, mode, distribution))
        for name, (scale, mode) in rows.items()
        for suffix, distribution in (("normal", normal), ("uniform", "uniform"))
    }


def _scaling(framework: str, scale: float, mode: str, distribution: str) -> Initializer:
    return AsStored(VarianceScaling(scale, mode, distribution), framework)


def _xavier(distribution: str, gain: float) -> Initializer:
    return _scaling("torch", gain * gain, "fan_avg", distribution)


def _kaiming(distribution: str, a: float, mode: str, nonlinearity: Any) -> Initializer:
    # torch's formula; the square of its square root would not be exactly 2.
    scale = 2.0 / (1.0 + a * a) if nonlinearity == "leaky_relu" else calculate_gain(nonlinearity) ** 2
    return _scaling("torch", scale, mode, distribution)


def _truncated(mean: float, std: float, a: float, b: float) -> Initializer:
    """Truncate at absolute bounds; the parameters of `TruncatedNormal` are relative."""
    return TruncatedNormal(std, mean, ((a - mean) / std, (b - mean) / std), corrected=False)


def _truncated_before(mean: float, std: float, a: float, b: float) -> Initializer:
    return TruncatedNormal(std, mean, (a, b), corrected=False)


def _of_torch() -> dict[str, FrameworkFunction]:
    low, high = ("a", 0.0, real()), ("b", 1.0, real())
    return {
        "uniform_": _function(lambda a, b: RandomUniform(a, b), low, high, ordered=("a", "b")),
        "normal_": _function(lambda mean, std: RandomNormal(std, mean), _MEAN, _STD),
        "trunc_normal_": _function(_truncated, _MEAN, ("std", 1.0, real(above=0)), *_BOUNDS, ordered=("a", "b")),
        "ones_": _function(Ones),
        "zeros_": _function(Zeros),
        "eye_": _function(lambda: AsStored(Identity(rectangular=True))),
        "dirac_": _function(lambda groups: AsStored(Dirac(groups=groups)), ("groups", 1, integer(1))),
        "xavier_uniform_": _function(partial(_xavier, "uniform"), _GAIN),
        "xavier_normal_": _function(partial(_xavier, "normal"), _GAIN),
        "kaiming_uniform_": _function(partial(_kaiming, "uniform"), *_RECTIFIER),
        "kaiming_normal_": _function(partial(_kaiming, "normal"), *_RECTIFIER),
        "orthogonal_": _function(lambda gain: AsStored(Orthogonal(gain)), _GAIN),
        "reset_parameters": _function(TorchDefault),
    }


def _of_keras() -> dict[str, FrameworkFunction]:
    low, high = ("minval", -0.05, real()), ("maxval", 0.05, real())
    stddev = ("stddev", 0.05, real(minimum=0))
    # Keras' own meaning of its names, of which "normal" is an older one.
    meaning = {
        "truncated_normal": "truncated_normal", "normal": "truncated_normal", "untruncated_normal": "normal",
        "uniform": "uniform",
    }  # fmt: skip
    distributions = one_of("distribution", meaning)
    return {
        "zeros": _function(Zeros),
        "ones": _function(Ones),
        "constant": _function(Constant, ("value", 0.0, real())),
        "identity": _function(
            lambda gain: AsStored(Identity(gain, rectangular=True), "keras"), ("gain", 1.0, real())
        ),
        "random_normal": _function(lambda mean, stddev: RandomNormal(stddev, mean), _MEAN, stddev),
        "random_uniform": _function(
            lambda minval, maxval: RandomUniform(minval, maxval), low, high, ordered=("minval", "maxval")
        ),
        "truncated_normal": _function(
            lambda mean, stddev: TruncatedNormal(stddev, mean, corrected=False), _MEAN, stddev
        ),
        "variance_scaling": _function(
            lambda scale, mode, distribution: _scaling("keras", scale, mode, meaning[distribution]),
            _SCALE, _MODE, ("distribution", "truncated_normal", distributions),
        ),
        "orthogonal": _function(lambda gain: AsStored(Orthogonal(gain), "keras"), _GAIN),
        **_family("keras", "truncated_normal"),
    }  # fmt: skip


def _of_jax() -> dict[str, FrameworkFunction]:
    low, high = ("lower", -2.0, real()), ("upper", 2.0, real())
    return {
        "zeros": _function(Zeros),
        "ones": _function(Ones),
        "normal": _function(lambda stddev: RandomNormal(stddev), _STDDEV),
        "uniform": _function(lambda scale: RandomUniform(0.0, scale), ("scale", 0.01, real(minimum=0))),
        "truncated_normal": _function(
            lambda stddev, lower, upper: TruncatedNormal(stddev, 0.0, (lower, upper), corrected=False),
            _STDDEV, low, high, ordered=("lower", "upper"),
        ),
        "orthogonal": _function(lambda scale: AsStored(Orthogonal(scale), "jax"), _SCALE),
        "delta_orthogonal": _function(
            lambda scale: AsStored(DeltaOrthogonal(scale, even_center="before"), "jax"), _SCALE
        ),
        **_family("jax", "truncated_normal"),
    }  # fmt: skip


def _of_timm() -> dict[str, FrameworkFunction]:
    distribution = ("distribution", "normal", one_of("distribution", _DISTRIBUTIONS))
    return {
        "trunc_normal_": _function(_truncated, _MEAN, ("std", 1.0, real(above=0)), *_BOUNDS, ordered=("a", "b")),
        "trunc_normal_tf_": _function(_truncated_before, _MEAN, _STD, *_BOUNDS, ordered=("a", "b")),
        "variance_scaling_": _function(partial(_scaling, "torch"), _SCALE, _MODE, distribution),
        "lecun_normal_": _function(partial(_scaling, "torch", 1.0, "fan_in", "truncated_normal")),
    }


_TABLES = {"torch": _of_torch(), "keras": _of_keras(), "jax": _of_jax(), "timm": _of_timm()}

FUNCTIONS |= {f"{framework}.{name}": value for framework, table in _TABLES.items() for name, value in table.items()}

SYNONYMS |= {
    "keras.zero": "keras.zeros", "keras.one": "keras.ones", "keras.normal": "keras.random_normal",
    "keras.uniform": "keras.random_uniform",
    **{
        f"jax.{theirs}_{suffix}": f"jax.{ours}_{suffix}"
        for theirs, ours in (("xavier", "glorot"), ("kaiming", "he")) for suffix in ("normal", "uniform")
    },
}  # fmt: skip

UNRESOLVED |= {
    "torch.constant_": "has no default arguments (allowed: Constant(value))",
    "torch.sparse_": "has no default arguments (allowed: functools.partial(torch.nn.init.sparse_, sparsity=...))",
    "keras.stft": "fills the fixed kernels of a spectrogram (allowed: a function that returns them)",
    "jax.constant": "has no default arguments (allowed: Constant(value))",
    "jax.variance_scaling": (
        "has no default arguments (allowed: AsStored(VarianceScaling(scale, mode, distribution), 'jax'))"
    ),
    "timm.init_weight_vit": "walks through a model (allowed: PerParameter, with rules for its layers and its head)",
    "timm.init_weight_jax": "walks through a model (allowed: PerParameter, with rules for its layers and its head)",
}

FRAMEWORK_NAMES = tuple(_TABLES)
