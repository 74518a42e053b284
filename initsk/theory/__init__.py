"""Gaussian integrals of activation functions: gains, critical points, the size of signals along depth."""

from initsk.theory._activations import ACTIVATION_FUNCTIONS, ActivationLike, OfMultiple, activation_label, as_function
from initsk.theory._critical import CriticalPoint, critical_point
from initsk.theory._gaussian import gain, gaussian_mean
from initsk.theory._signal import SignalLayer, backward_signal, forward_signal

__all__ = [
    "ACTIVATION_FUNCTIONS",
    "ActivationLike",
    "CriticalPoint",
    "OfMultiple",
    "SignalLayer",
    "activation_label",
    "as_function",
    "backward_signal",
    "critical_point",
    "forward_signal",
    "gain",
    "gaussian_mean",
]
