"""Advice: which initializer a network should have and why, and whether it will train as it is."""

from initsk.advice._depth import DepthBudget
from initsk.advice._diagnose import Diagnosis, diagnose
from initsk.advice._findings import findings_of as findings_of
from initsk.advice._limits import LIMITS, Limit
from initsk.advice._predict import predict_signal
from initsk.advice._recommend import Advice, Recommendation, by_initializer as by_initializer, recommend_initializer
from initsk.advice._vitals import examine as examine, some_samples as some_samples

__all__ = [
    "LIMITS",
    "Advice",
    "DepthBudget",
    "Diagnosis",
    "Limit",
    "Recommendation",
    "diagnose",
    "predict_signal",
    "recommend_initializer",
]
