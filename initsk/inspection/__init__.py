"""Inspection: activations of any torch module as statistics, histograms and features."""

from initsk.inspection._callback import ActivationRecorder
from initsk.inspection._findings import ADVICE, Thresholds, named, verdict_sentence, verdicts_of
from initsk.inspection._frames import PackedBins, histograms_frame, signal_rows, statistics_frame
from initsk.inspection._inspect import inspect_activations
from initsk.inspection._inspector import ActivationInspector
from initsk.inspection._summary import ActivationSummary
from initsk.inspection.statistics._coherence import GradientCoherence, gradient_coherence
from initsk.inspection.statistics._histogram import FixedHistogram, StreamingHistogram, pool_histograms
from initsk.inspection.statistics._layer import LayerStatistics
from initsk.inspection.statistics._moments import RunningMoments
from initsk.inspection.statistics._units import RunningCovariance, SampleCosines, UnitStatistics

__all__ = [
    "ADVICE",
    "ActivationInspector",
    "ActivationRecorder",
    "ActivationSummary",
    "FixedHistogram",
    "GradientCoherence",
    "LayerStatistics",
    "PackedBins",
    "RunningCovariance",
    "RunningMoments",
    "SampleCosines",
    "StreamingHistogram",
    "Thresholds",
    "UnitStatistics",
    "gradient_coherence",
    "histograms_frame",
    "inspect_activations",
    "named",
    "pool_histograms",
    "signal_rows",
    "statistics_frame",
    "verdict_sentence",
    "verdicts_of",
]
