"""Gaussian integrals of activation functions: gains, mean field theory, critical points, signals along depth."""

from initsk.theory._activation_names import activation_name
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
from initsk.theory._wide_signal import Signal, removed_share
from initsk.theory._wide_sums import mixture, plus, sum_of_squared_weights, summed_products, times

__all__ = [
    "ACTIVATION_FUNCTIONS", "ActivationLike", "CriticalPoint", "DepthScales", "MeanField", "OfMultiple",
    "PhaseDiagram", "Signal", "SignalLayer", "activation_label", "activation_name", "as_function", "backward_signal",
    "backward_spread", "cached", "critical_point", "forward_signal", "forward_spread", "gain", "gaussian_mean",
    "mixture", "phase_diagram", "plus", "prediction_interval", "removed_share", "sum_of_squared_weights",
    "summed_products", "times",
]  # fmt: skip
