"""The public functions that run a network, by name, for tests of what holds for each of them."""

import numpy as np
import pandas as pd

from initsk import ActivationInspector, audit, diagnose, initialize, inspect_activations, network, recommend_initializer
from initsk.diagnosis import Audit, Diagnosis, Recommendation, predict_signal
from initsk.displays import NetworkDisplay
from initsk.initialization import InitializationRecord
from initsk.inspection import ActivationSummary, gradient_coherence


def entry_points(X, Y, *names):
    """Return functions of a network alone: of these names, which are looked up in the table below."""
    everything = {"gradients": True, "weights": True}
    every = {
        "read": network.read,
        "read X": lambda net: network.read(net, X),
        "read in training": lambda net: network.read(net, X, training=True),
        "inspect": lambda net: inspect_activations(net, X),
        "inspect in training": lambda net: inspect_activations(net, X, training=True),
        "gradients": lambda net: inspect_activations(net, X, Y, **everything),
        "gradients in training": lambda net: inspect_activations(
            net, X, Y, gradients=True, weights=True, training=True
        ),
        "coherence": lambda net: gradient_coherence(net, X, Y),
        "transform": lambda net: ActivationInspector(net, prefit=True).fit(X).transform(X),
        "audit": lambda net: audit(net, X),
        "audit without X": audit,
        "diagnose": lambda net: diagnose(net, X, Y, trial_steps=4),
        "predict": lambda net: predict_signal(net, "he_normal", X),
        "predict its own weights": lambda net: predict_signal(net, X=X),
        "recommend": lambda net: recommend_initializer(net, X),
        # Without time, it measures "auto" alone.
        "recommend by scores": lambda net: recommend_initializer(net, X, Y, time_limit=1e-6),
        "recommend by all scores": lambda net: recommend_initializer(net, X, Y),
        "display": lambda net: NetworkDisplay.from_module(net, X),
        "initialize": lambda net: initialize(net, "he_normal"),
        "initialize X": lambda net: initialize(net, "he_normal", X=X),
        "lsuv": lambda net: initialize(net, "lsuv", X=X),
        "within layer": lambda net: initialize(net, "within_layer", X=X),
        "gradinit": lambda net: initialize(net, "gradinit", X=X, y=Y),
    }
    return {name: every[name] for name in names}


def values_of(result):
    """Return all numbers and names of a result, which are equal only if they are so to the last digit."""
    if isinstance(result, network.NetworkGraph):
        return result.depth, [str(operation) for operation in result.operations]
    if isinstance(result, np.ndarray):
        return result.tolist()
    if isinstance(result, ActivationSummary):
        frames = [*map(result.to_frame, ("activations", "gradients", "weights")), result.parameters()]
    elif isinstance(result, Diagnosis):
        frames = [result.trial, result.findings()]
    elif isinstance(result, Audit):
        frames = [result.findings()]
    elif isinstance(result, Recommendation):
        frames = [result.to_frame()] if result.measured is None else [result.to_frame(), result.measured]
    elif isinstance(result, InitializationRecord):
        frames = [result.to_frame()]
    elif isinstance(result, pd.DataFrame):
        frames = [result]
    else:
        return result
    return [frame.to_csv() for frame in frames]
