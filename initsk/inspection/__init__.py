"""Inspection: activations of any torch module as statistics, histograms and features."""

from initsk.inspection._histogram import StreamingHistogram, pool_histograms
from initsk.inspection._moments import RunningMoments
from initsk.inspection._summary import ActivationSummary, LayerStatistics, inspect_activations
from initsk.inspection._transformer import ActivationInspector

__all__ = [
    "ActivationInspector",
    "ActivationSummary",
    "LayerStatistics",
    "RunningMoments",
    "StreamingHistogram",
    "inspect_activations",
    "pool_histograms",
]
