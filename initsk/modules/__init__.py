"""Torch modules: the MLP, activation functions by name, and `initialize` for any module."""

from initsk.modules._activations import (
    ACTIVATION_TYPES,
    ACTIVATIONS,
    ActivationSpec as ActivationSpec,
    make_activation,
)
from initsk.modules._initialize import initialize
from initsk.modules._mlp import MLP, NORMALIZATIONS
from initsk.modules._record import InitializationRecord

__all__ = [
    "ACTIVATIONS",
    "ACTIVATION_TYPES",
    "MLP",
    "NORMALIZATIONS",
    "InitializationRecord",
    "initialize",
    "make_activation",
]
