"""The names of other frameworks, as the laws that they draw there with their defaults."""

from initsk.initializers._base import Initializer
from initsk.initializers._constant import Constant, Dirac, Identity, Ones, Zeros
from initsk.initializers._free import RandomNormal, RandomUniform, TruncatedNormal
from initsk.initializers._orthogonal import DeltaOrthogonal, Orthogonal
from initsk.initializers._torch_default import TorchDefault
from initsk.initializers._variance_scaling import VarianceScaling


def _family(fans: str, normal: str) -> dict[str, Initializer]:
    """Return Glorot, He and LeCun as a framework counts fans and understands "normal"."""
    rows = {"glorot": (1.0, "fan_avg"), "he": (2.0, "fan_in"), "lecun": (1.0, "fan_in")}
    return {
        f"{name}_{suffix}": VarianceScaling(scale, mode, distribution, fans=fans)
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
        "eye_": Identity(rectangular=True),
        "dirac_": Dirac(),
        "xavier_uniform_": _TORCH["glorot_uniform"],
        "xavier_normal_": _TORCH["glorot_normal"],
        "kaiming_uniform_": _TORCH["he_uniform"],
        "kaiming_normal_": _TORCH["he_normal"],
        "orthogonal_": Orthogonal(),
        "reset_parameters": TorchDefault(),
    },
    "keras": {
        "zeros": Zeros(),
        "ones": Ones(),
        "constant": Constant(0.0),
        "identity": Identity(rectangular=True),
        "random_normal": RandomNormal(0.05),
        "random_uniform": RandomUniform(-0.05, 0.05),
        "truncated_normal": TruncatedNormal(0.05, corrected=False),
        "zero": Zeros(),
        "one": Ones(),
        "normal": RandomNormal(0.05),
        "uniform": RandomUniform(-0.05, 0.05),
        "variance_scaling": VarianceScaling(distribution="truncated_normal", fans="keras"),
        "orthogonal": Orthogonal(),
        **_KERAS,
    },
    "jax": {
        "zeros": Zeros(),
        "ones": Ones(),
        "normal": RandomNormal(0.01),
        "uniform": RandomUniform(0.0, 0.01),
        "truncated_normal": TruncatedNormal(0.01, corrected=False),
        "orthogonal": Orthogonal(),
        "delta_orthogonal": DeltaOrthogonal(),
        **_JAX,
        **{name.replace("glorot", "xavier").replace("he_", "kaiming_"): _JAX[name] for name in _JAX},
    },
    "timm": {
        "trunc_normal_": TruncatedNormal(1.0, corrected=False),
        "trunc_normal_tf_": TruncatedNormal(1.0, corrected=False),
        "variance_scaling_": VarianceScaling(fans="torch"),
        "lecun_normal_": VarianceScaling(distribution="truncated_normal", fans="torch"),
    },
}

#: Names that mean nothing without an argument, and what to write instead.
WITHOUT_DEFAULTS = {
    "torch.constant_": "Constant(value)",
    "torch.sparse_": "functools.partial(torch.nn.init.sparse_, sparsity=...)",
    "jax.constant": "Constant(value)",
    "jax.variance_scaling": "VarianceScaling(scale, mode, distribution, fans='jax')",
}
