"""Gaussian integrals of activation functions: gains, mean field theory, critical points, signals along depth."""

from initsk.theory._activations import (
    ACTIVATION_FUNCTIONS,
    ActivationLike,
    OfMultiple,
    activation_label,
    as_function,
    cached,
)
from initsk.theory._critical import CriticalPoint, critical_point
from initsk.theory._gaussian import gain, gaussian_mean
from initsk.theory._mean_field import DepthScales, MeanField
from initsk.theory._phase import PhaseDiagram, phase_diagram
from initsk.theory._signal import (
    SignalLayer,
    backward_signal,
    backward_spread,
    forward_signal,
    forward_spread,
    prediction_interval,
)

__all__ = [
    "ACTIVATION_FUNCTIONS", "ActivationLike", "CriticalPoint", "DepthScales", "MeanField", "OfMultiple", "PhaseDiagram",
    "SignalLayer", "activation_label", "as_function", "backward_signal", "backward_spread", "cached", "critical_point",
    "forward_signal", "forward_spread", "gain", "gaussian_mean", "phase_diagram", "prediction_interval",
]  # fmt: skip
