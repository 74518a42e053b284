"""The usual initialization of each kind of layer, where it differs from the recommendation."""

from initsk import initializers
from initsk.network import ParameterSpec
from initsk.theory import activation_label
from initsk.utils.reason import Reason

_AS_FOR_RELU = Reason("he_normal, as for ReLU: the signal shrinks layer by layer")
_BY_ACTIVATION = {
    "tanh": Reason("torch's gain of 5/3 (1.67): signals stay larger, gradients explode with depth"),
    "sigmoid": Reason("Xavier at any depth: beyond two or three layers all samples become alike"),
    "selu": Reason("torch's gain of 3/4: the signal shrinks; gain 1 preserves it (Klambauer et al. 2017)"),
    **dict.fromkeys(("gelu", "silu", "mish", "swish"), _AS_FOR_RELU),
}
_DEEP = Reason("he_normal at any depth: the size of the signal varies more from draw to draw (Hanin and Rolnick 2018)")
_BRANCH = Reason(
    "the same as in other layers: signals grow with each branch; or zeros (Fixup), or a factor that begins at 0"
    " (ReZero) or small (LayerScale)"
)
_ZERO_GAMMA = Reason("zero for the scale of the last normalization of the branch (Goyal et al. 2017, section 5.1)")
_POST_NORM = Reason(
    "DeepNorm: values, outputs and feed-forward layers times (8 N)^(-1/4) in N layers, with larger shortcuts (Wang et"
    " al. 2022)"
)
_STACK = Reason("N(0, 0.02^2) for any width (BERT, GPT-2)")
_EMBEDDING = Reason("N(0, 1), torch's default: too large for the next layers")
_RECURRENT = Reason("U(-1 / sqrt(h), 1 / sqrt(h)), torch's default: states decay faster")
_FORGET = Reason(
    "1 for the bias of the forget gate (ForgetGateBias), which keeps states and gradients over more steps (Gers et al."
    " 2000; Jozefowicz et al. 2015)"
)
_OUTPUT = Reason("zeros (Fixup, DiT); or the variance 1 / fan_in, with scores as large as the signal")
_GATE = Reason("the same as in other layers: conditions disturb the signal from the start")


def common_practice(spec: ParameterSpec) -> str:
    """Return what is usually done with a parameter, if it differs from the recommendation; otherwise an empty text."""
    if spec.role == "bias":
        choice = initializers.ForgetGateBias().choose(spec)
        opens = choice is not None and choice.initializer != initializers.Zeros()
        return _FORGET if opens else ""
    if spec.kind == "recurrent":
        return _RECURRENT
    if spec.kind == "embedding":
        return "" if spec.use.feeds else _EMBEDDING
    if spec.use.modulates:
        return _GATE
    if spec.stack is not None:
        return _STACK
    if spec.branch is not None and spec.branch.is_last and spec.branch.n_branches > 1:
        return _POST_NORM if spec.branch.block == "post-norm" else _ZERO_GAMMA if spec.branch.normalized else _BRANCH
    if spec.activation is None:
        return _OUTPUT if spec.place == "output" else ""
    label = activation_label(spec.activation)
    if label in _BY_ACTIVATION:
        return _BY_ACTIVATION[label]
    return _DEEP if label.endswith("relu") and spec.n_hidden >= initializers.DEEP else ""
