"""Names of activation functions: those of torch, scikit-learn, Keras and JAX, in any spelling of words and case."""

import re
from collections.abc import Iterable

from initsk.exceptions import InvalidParameterError
from initsk.utils.spelling import meant_name
from initsk.utils.validation import unknown_name

#: Names that other libraries, and torch's models, give to the functions.
SYNONYMS = {
    "exp": "exponential",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "hard_silu": "hardswish",
    "linear": "identity",
    "logistic": "sigmoid",
    "relu2": "relu_squared",
    "sine": "sin",
    "squared_relu": "relu_squared",
    "swish": "silu",
}
_NOT_ELEMENTWISE = (
    "softmax", "softmax2d", "softmin", "log_softmax", "gumbel_softmax", "sparsemax", "glu", "swiglu", "geglu", "reglu",
    "crelu", "maxout", "multihead_attention", "standardize", "logsumexp", "logmeanexp", "one_hot",
)  # fmt: skip
#: Names of other libraries that stand for no function here, and why.
_OTHERS = {
    **dict.fromkeys(_NOT_ELEMENTWISE, "it is no function of a single number"),
    **dict.fromkeys(("hard_mish", "laplace", "gelu_10"), "give it as a function of one tensor"),
    "threshold": "it needs arguments",
}

# The modules in which libraries have the functions.
_PREFIXES = {
    "torch": ("torch.nn.functional.", "torch.nn.", "torch.", "nn.functional.", "nn.", "functional.", "f."),
    "jax": ("jax.nn.", "flax.linen."),
    "keras": (
        "tf.keras.activations.",
        "tf.keras.layers.",
        "keras.activations.",
        "keras.layers.",
        "keras.ops.",
        "tf.nn.",
    ),
}
#: Functions that differ from torch's function of the same name.
_OF_LIBRARY = {("jax", "gelu"): "gelu_tanh"}
_NOT_HERE = {("keras", "leakyrelu"): "Keras has the slope 0.2: give torch.nn.LeakyReLU(0.2)"}


def _squeezed(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())


def _without_prefix(given: str) -> tuple[str, str]:
    """Return the library whose module a name begins with, or "torch", and the rest of the name."""
    low = given.strip().lower()
    for library, prefixes in _PREFIXES.items():
        for prefix in prefixes:
            if low.startswith(prefix):
                return library, low.removeprefix(prefix)
    return "torch", given


def activation_name(given: str, known: Iterable[str]) -> str:
    """Return the name in `known` of the activation function that a name stands for.

    Parameters
    ----------
    given : str
        Case, spaces, hyphens and underscores do not matter, so torch's class names are names too. With the module of a
        library (``"jax.nn.gelu"``), a name stands for the function of that library.
    known : iterable of str
        Names of the functions.

    Returns
    -------
    str

    Raises
    ------
    InvalidParameterError
        If the name is unknown. The message suggests a name only if no other function has a name as close.

    Examples
    --------
    >>> known = ["leaky_relu", "sigmoid", "silu"]
    >>> activation_name("LeakyReLU", known), activation_name("logistic", known), activation_name("swish", known)
    ('leaky_relu', 'sigmoid', 'silu')
    """
    names = {name: name for name in sorted(known)}
    names |= {synonym: name for synonym, name in SYNONYMS.items() if name in names}
    squeezed = {_squeezed(name): name for name in (*names, *_OTHERS)}
    library, short = _without_prefix(given)
    key = _squeezed(short)
    key = _squeezed(_OF_LIBRARY.get((library, key), key))
    name = squeezed.get(key)
    if (library, key) in _NOT_HERE:
        raise InvalidParameterError(f"activation {given!r} is not allowed: {_NOT_HERE[library, key]}")
    if name in names:
        return names[name]
    shown = [name for name in names if name not in SYNONYMS]
    others = ", their names in scikit-learn, Keras and JAX, or a function of one tensor"
    if name is not None:
        listed = ", ".join(map(repr, shown))
        raise InvalidParameterError(f"activation {given!r} is not allowed: {_OTHERS[name]}. Allowed: {listed}{others}")
    # Names without a function here are no suggestion, but a name that is as close to one of them is not clear.
    near = meant_name(key, {short: names.get(name, name) for short, name in squeezed.items()})
    meant = squeezed[near] if near is not None and squeezed[near] in names else None
    raise InvalidParameterError(unknown_name("activation", given, shown, meant) + others)
