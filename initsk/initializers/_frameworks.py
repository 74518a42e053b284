"""Names and defaults of other frameworks: what each draws, over the tensors as it stores them."""

from math import prod

from initsk.initializers._constant import Constant, Dirac, Identity, Ones, Zeros
from initsk.initializers._orthogonal import DeltaOrthogonal, Orthogonal
from initsk.initializers._unscaled import RandomNormal, RandomUniform, TruncatedNormal
from initsk.initializers._variance_scaling import VarianceScaling, ZeroMeanDraw
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._registry import FRAMEWORKS, UNRESOLVED
from initsk.initializers.core._wrapper import AsStored
from initsk.network import ParameterSpec


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


def _family(framework: str, normal: str) -> dict[str, Initializer]:
    """Return Glorot, He and LeCun with a framework's fans and its meaning of "normal"."""
    rows = {"glorot": (1.0, "fan_avg"), "he": (2.0, "fan_in"), "lecun": (1.0, "fan_in")}
    return {
        f"{name}_{suffix}": AsStored(VarianceScaling(scale, mode, distribution), framework)
        for name, (scale, mode) in rows.items()
        for suffix, distribution in (("normal", normal), ("uniform", "uniform"))
    }


_TORCH = _family("torch", "normal")
_JAX = _family("jax", "truncated_normal")

FRAMEWORKS |= {
    "torch": {
        "uniform_": RandomUniform(0.0, 1.0),
        "normal_": RandomNormal(1.0),
        "trunc_normal_": TruncatedNormal(1.0, corrected=False),
        "ones_": Ones(),
        "zeros_": Zeros(),
        "eye_": AsStored(Identity(rectangular=True)),
        "dirac_": AsStored(Dirac()),
        "xavier_uniform_": _TORCH["glorot_uniform"],
        "xavier_normal_": _TORCH["glorot_normal"],
        "kaiming_uniform_": _TORCH["he_uniform"],
        "kaiming_normal_": _TORCH["he_normal"],
        "orthogonal_": AsStored(Orthogonal()),
        "reset_parameters": TorchDefault(),
    },
    "keras": {
        "zeros": Zeros(),
        "ones": Ones(),
        "constant": Constant(0.0),
        "identity": AsStored(Identity(rectangular=True), "keras"),
        "random_normal": RandomNormal(0.05),
        "random_uniform": RandomUniform(-0.05, 0.05),
        "truncated_normal": TruncatedNormal(0.05, corrected=False),
        "zero": Zeros(),
        "one": Ones(),
        "normal": RandomNormal(0.05),
        "uniform": RandomUniform(-0.05, 0.05),
        "variance_scaling": AsStored(VarianceScaling(distribution="truncated_normal"), "keras"),
        "orthogonal": AsStored(Orthogonal(), "keras"),
        **_family("keras", "truncated_normal"),
    },
    "jax": {
        "zeros": Zeros(),
        "ones": Ones(),
        "normal": RandomNormal(0.01),
        "uniform": RandomUniform(0.0, 0.01),
        "truncated_normal": TruncatedNormal(0.01, corrected=False),
        "orthogonal": AsStored(Orthogonal(), "jax"),
        "delta_orthogonal": AsStored(DeltaOrthogonal(even_center="before"), "jax"),
        **_JAX,
        **{name.replace("glorot", "xavier").replace("he_", "kaiming_"): _JAX[name] for name in _JAX},
    },
    "timm": {
        **dict.fromkeys(("trunc_normal_", "trunc_normal_tf_"), TruncatedNormal(1.0, corrected=False)),
        "variance_scaling_": AsStored(VarianceScaling()),
        "lecun_normal_": AsStored(VarianceScaling(distribution="truncated_normal")),
    },
}

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

FRAMEWORK_NAMES = tuple(FRAMEWORKS)
