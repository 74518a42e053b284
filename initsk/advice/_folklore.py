"""What is usually said or done where theory says otherwise."""

from initsk.initializers import DEEP, Site
from initsk.theory import activation_label
from initsk.utils._language import Sentence, message

_AS_FOR_RELU = message("He's 2 / fan_in, as for ReLU: lengths shrink layer by layer")
_BY_ACTIVATION = {
    "tanh": message("torch's gain of 5/3 (1.67): signals stay larger, gradients explode with depth"),
    "sigmoid": message("Xavier at any depth: beyond two or three layers all samples become alike"),
    "selu": message("torch's gain of 3/4: lengths shrink; the function keeps them with gain 1 (Klambauer et al. 2017)"),
    "gelu": _AS_FOR_RELU,
    "silu": _AS_FOR_RELU,
    "mish": _AS_FOR_RELU,
    "swish": _AS_FOR_RELU,
}
_DEEP = message("He's normal law at any depth: single draws scatter more, with the sum of 5 / width")
_BRANCH = message("the same as elsewhere: lengths double with each branch; or zeros (Goyal et al. 2017; Fixup)")
_STACK = message("N(0, 0.02^2), whatever the width (BERT, GPT-2)")
_EMBEDDING = message("N(0, 1), torch's default: larger than what the layers after it are made for")
_RECURRENT = message("U(-1 / sqrt(h), 1 / sqrt(h)), torch's default: states fade sooner")
_OUTPUT = message("zeros, or Keras's Glorot uniform: both start near the loss of guessing as well")


def folklore(site: Site) -> str:
    """Return what is usually done with a site, where that is something else; otherwise an empty text."""
    said = "" if site.role == "bias" else _of_weight(site)
    return Sentence(said) if said else ""


def _of_weight(site: Site) -> str:
    if site.kind in ("recurrent", "embedding"):
        return _RECURRENT if site.kind == "recurrent" else _EMBEDDING
    if site.stack is not None:
        return _STACK
    if site.branch is not None and site.branch.adds_up:
        return _BRANCH
    if site.activation is None:
        return _OUTPUT if site.place == "output" else ""
    label = activation_label(site.activation)
    if label in _BY_ACTIVATION:
        return _BY_ACTIVATION[label]
    return _DEEP if label.endswith("relu") and site.n_hidden >= DEEP else ""
