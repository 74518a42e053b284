"""Torch modules: the MLP, activation functions by name, and `initialize` for any module.

What is imported here under its own name (``X as X``) is for the rest of the package, not for users.
"""

from initsk.modules._activations import (
    ACTIVATION_TYPES,
    ACTIVATIONS,
    ActivationSpec as ActivationSpec,
    make_activation,
)
from initsk.modules._batch import input_type as input_type, to_input as to_input
from initsk.modules._chain import ChainLayer as ChainLayer, chain_of as chain_of
from initsk.modules._initialize import choices_for as choices_for, initialize
from initsk.modules._mlp import MLP, NORMALIZATIONS
from initsk.modules._record import InitializationRecord
from initsk.modules._unwrap import unwrap as unwrap

__all__ = [
    "ACTIVATIONS",
    "ACTIVATION_TYPES",
    "MLP",
    "NORMALIZATIONS",
    "InitializationRecord",
    "initialize",
    "make_activation",
]
