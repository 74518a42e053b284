"""Inspection of any torch module: activations and gradients as statistics, histograms, features and findings."""

from initsk.inspection._callback import ActivationRecorder
from initsk.inspection._findings import Finding, LayerValues, find_in_layers, findings_frame, group_findings
from initsk.inspection._frames import PackedBins, histograms_frame, signal_rows, statistics_frame
from initsk.inspection._inspect import inspect_activations, inspect_batches
from initsk.inspection._inspector import ActivationInspector
from initsk.inspection._settings import InspectionSettings
from initsk.inspection._summary import ActivationSummary
from initsk.inspection._thresholds import DECIDING, MIN_SAMPLES, THRESHOLDS, Threshold, layer_thresholds, threshold_of
from initsk.inspection.statistics._coherence import (
    GradientCoherence,
    coherence_of_batches,
    gradient_coherence,
)
from initsk.inspection.statistics._histogram import FixedHistogram, StreamingHistogram, pool_histograms
from initsk.inspection.statistics._layer import LayerRecord, LayerStatistics
from initsk.inspection.statistics._moments import RunningMoments
from initsk.inspection.statistics._units import RunningCovariance, SampleCosines, UnitStatistics

__all__ = [
    "DECIDING", "MIN_SAMPLES", "THRESHOLDS", "ActivationInspector", "ActivationRecorder", "ActivationSummary",
    "Finding", "FixedHistogram", "GradientCoherence", "InspectionSettings", "LayerRecord", "LayerStatistics",
    "LayerValues", "PackedBins", "RunningCovariance", "RunningMoments", "SampleCosines", "StreamingHistogram",
    "Threshold", "UnitStatistics", "coherence_of_batches", "find_in_layers", "findings_frame", "gradient_coherence",
    "group_findings", "histograms_frame", "inspect_activations", "inspect_batches", "layer_thresholds",
    "pool_histograms", "signal_rows", "statistics_frame", "threshold_of",
]  # fmt: skip
