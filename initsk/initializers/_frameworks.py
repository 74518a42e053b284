"""Another framework's view of a parameter: one tensor, as it is stored there."""

from typing import ClassVar

import torch

from initsk.initializers._constant import Constant, Dirac, Identity, Ones, Zeros
from initsk.initializers._orthogonal import DeltaOrthogonal, Orthogonal
from initsk.initializers._siren import TorchDefault
from initsk.initializers._unscaled import RandomNormal, RandomUniform, TruncatedNormal
from initsk.initializers._variance_scaling import HeNormal, VarianceScaling
from initsk.initializers.core._base import ExpectedMoments, Initializer
from initsk.network import FRAMEWORK_LAYOUTS, ParameterSpec
from initsk.utils.validation import Constraint, instance_of, one_of, optional


class AsStored(Initializer):
    """Draw a parameter as the one tensor that a framework stores, with the fans that it counts there.

    Everywhere else gates, groups and projections are matrices of their own, and fans count connections. The
    names of other frameworks (``"torch.orthogonal_"``) use this to mean exactly what they mean there.

    Parameters
    ----------
    base : Initializer or None, default=None
        What is drawn; None means ``HeNormal()``.
    framework : {"torch", "keras", "jax"}, default="torch"
        Whose layout it is.

    Raises
    ------
    InvalidParameterError
        When used on what the base unsupported_reason.

    Notes
    -----
    Law: that of the base, over

    - torch: the tensor as it is, the gates of an LSTM or the projections of attention as one matrix,
      ``fan_in = shape[1] * kernel`` and ``fan_out = shape[0] * kernel``; so the fans of transposed convolutions are
      swapped, groups do not count in fan_out, and an embedding has its width as fan_in;
    - keras: the same, but for depthwise convolutions, stored as ``(*kernel, in, multiplier)``, so that
      ``fan_in = in * kernel``, for embeddings, with as many inputs as rows, and for attention, projection by
      projection (Keras also takes the heads apart, which is not followed here);
    - jax: kernels as flax stores them: gates and projections apart, transposed convolutions with their fans
      as counted, embeddings with as many inputs as rows, groups as in torch.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import AsStored, Orthogonal
    >>> lstm = torch.nn.LSTM(3, 4)
    >>> for initializer in Orthogonal(), AsStored(Orthogonal()):
    ...     record = initialize(lstm, initializer, random_state=0)
    ...     print(round(torch.linalg.matrix_norm(lstm.weight_hh_l0.detach(), ord=2).item(), 4))
    2.0
    1.0
    """

    name = "as_stored"
    family = "composed"
    formula = "that of the base, over the tensor as a framework stores it"
    parameter_constraints: ClassVar[dict[str, Constraint]] = {
        "base": optional(instance_of(Initializer, "an Initializer")),
        "framework": one_of("framework", FRAMEWORK_LAYOUTS),
    }

    def __init__(self, base: Initializer | None = None, framework: str = "torch") -> None:
        self.base = base
        self.framework = framework

    @property
    def filling(self) -> Initializer:
        """The base, or He's law."""
        return HeNormal() if self.base is None else self.base

    @property
    def draw_never_fails(self) -> bool:
        """Whether the base does."""
        return self.filling.draw_never_fails

    def stored_spec(self, spec: ParameterSpec) -> ParameterSpec:
        """Return the spec of the whole tensor."""
        return spec.as_stored(self.framework)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Say what the base needs and the tensor does not have."""
        return self.filling.unsupported_reason(self.stored_spec(spec))

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Say what the values for `spec` will be like."""
        return self.filling.expected_moments(self.stored_spec(spec))

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return self.filling.draw_values(self.stored_spec(spec), generator, dtype)


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
