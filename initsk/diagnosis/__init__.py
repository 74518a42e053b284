"""Diagnosis before training, and recommendation of initializers."""

from initsk.diagnosis._diagnose import Diagnosis, diagnose
from initsk.diagnosis._findings import LIMITS, Limit, findings_of
from initsk.diagnosis._measurements import some_samples, take_measurements
from initsk.diagnosis._predict import DepthBudget, predict_signal
from initsk.diagnosis._recommend import Advice, Recommendation, by_initializer, recommend_initializer

__all__ = [
    "LIMITS",
    "Advice",
    "DepthBudget",
    "Diagnosis",
    "Limit",
    "Recommendation",
    "by_initializer",
    "diagnose",
    "findings_of",
    "predict_signal",
    "recommend_initializer",
    "some_samples",
    "take_measurements",
]
