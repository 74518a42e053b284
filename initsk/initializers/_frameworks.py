"""The names of other frameworks, as the laws that they draw there with their defaults."""

from initsk.initializers._as_stored import AsStored
from initsk.initializers._base import Initializer
from initsk.initializers._constant import Constant, Dirac, Identity, Ones, Zeros
from initsk.initializers._free import RandomNormal, RandomUniform, TruncatedNormal
from initsk.initializers._orthogonal import DeltaOrthogonal, Orthogonal
from initsk.initializers._torch_default import TorchDefault
from initsk.initializers._variance_scaling import VarianceScaling


def _family(framework: str, normal: str) -> dict[str, Initializer]:
    """Return Glorot, He and LeCun as a framework counts fans and understands "normal"."""
    rows = {"glorot": (1.0, "fan_avg"), "he": (2.0, "fan_in"), "lecun": (1.0, "fan_in")}
    return {
        f"{name}_{suffix}": AsStored(VarianceScaling(scale, mode, distribution), framework)
        for name, (scale, mode) in rows.items()
        for suffix, distribution in (("normal", normal), ("uniform", "uniform"))
    }


_TORCH = _family("torch", "normal")
_KERAS = _family("keras", "truncated_normal")
_JAX = _family("jax", "truncated_normal")

FRAMEWORKS: dict[str, dict[str, Initializer]] = {
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
        **_KERAS,
    },
    "jax": {
        "zeros": Zeros(),
        "ones": Ones(),
        "normal": RandomNormal(0.01),
        "uniform": RandomUniform(0.0, 0.01),
        "truncated_normal": TruncatedNormal(0.01, corrected=False),
        "orthogonal": AsStored(Orthogonal(), "jax"),
        "delta_orthogonal": AsStored(DeltaOrthogonal(even_centre="before"), "jax"),
        **_JAX,
        **{name.replace("glorot", "xavier").replace("he_", "kaiming_"): _JAX[name] for name in _JAX},
    },
    "timm": {
        "trunc_normal_": TruncatedNormal(1.0, corrected=False),
        "trunc_normal_tf_": TruncatedNormal(1.0, corrected=False),
        "variance_scaling_": AsStored(VarianceScaling()),
        "lecun_normal_": AsStored(VarianceScaling(distribution="truncated_normal")),
    },
}

#: Names that draw nothing by themselves: why, and what to write instead.
WITHOUT_LAW = {
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

#: Where the names live in their frameworks, for who writes them in full.
FULL_PATHS = {
    "torch.nn.init.": "torch.",
    "keras.initializers.": "keras.",
    "tf.keras.initializers.": "keras.",
    "jax.nn.initializers.": "jax.",
    "timm.layers.": "timm.",
}
