"""Inspection: activations of any torch module as statistics, histograms and features."""

from initsk.inspection._callback import ActivationRecorder
from initsk.inspection._covariance import RunningCovariance
from initsk.inspection._fixed_histogram import FixedHistogram
from initsk.inspection._frames import (
    PackedBins as PackedBins,
    histograms_frame as histograms_frame,
    statistics_frame as statistics_frame,
)
from initsk.inspection._histogram import StreamingHistogram, pool_histograms
from initsk.inspection._inspect import inspect_activations
from initsk.inspection._layer_statistics import LayerStatistics
from initsk.inspection._model import Model as Model, get_model as get_model
from initsk.inspection._moments import RunningMoments
from initsk.inspection._samples import SampleCosines
from initsk.inspection._sites import signal_rows
from initsk.inspection._summary import ActivationSummary
from initsk.inspection._teaching import TeachingSignal, teaching_signal
from initsk.inspection._thresholds import Thresholds
from initsk.inspection._transformer import ActivationInspector
from initsk.inspection._units import UnitStatistics
from initsk.inspection._verdicts import (
    ADVICE as ADVICE,
    named as named,
    verdict_sentence as verdict_sentence,
    verdicts_of as verdicts_of,
)

__all__ = [
    "ActivationInspector",
    "ActivationRecorder",
    "ActivationSummary",
    "FixedHistogram",
    "LayerStatistics",
    "RunningCovariance",
    "RunningMoments",
    "SampleCosines",
    "StreamingHistogram",
    "TeachingSignal",
    "Thresholds",
    "UnitStatistics",
    "inspect_activations",
    "pool_histograms",
    "signal_rows",
    "teaching_signal",
]
