"""Torch modules: the MLP, activation functions by name, and `initialize` for any module."""

from initsk.modules._activations import ACTIVATION_TYPES, ACTIVATIONS, make_activation
from initsk.modules._initialize import InitializationRecord, initialize
from initsk.modules._mlp import MLP

__all__ = ["ACTIVATIONS", "ACTIVATION_TYPES", "MLP", "InitializationRecord", "initialize", "make_activation"]
