"""Gaussian integrals of activation functions: gains and critical points."""

from initsk.theory._activations import ACTIVATION_FUNCTIONS, ActivationLike, OfMultiple, activation_label, as_function
from initsk.theory._critical import CriticalPoint, critical_point
from initsk.theory._gaussian import gain, gaussian_mean

__all__ = [
    "ACTIVATION_FUNCTIONS",
    "ActivationLike",
    "CriticalPoint",
    "OfMultiple",
    "activation_label",
    "as_function",
    "critical_point",
    "gain",
    "gaussian_mean",
]
