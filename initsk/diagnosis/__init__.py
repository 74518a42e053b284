"""Diagnosis before training, and recommendation of initializers."""

from initsk.diagnosis._depth_budget import DepthBudget
from initsk.diagnosis._diagnose import Diagnosis, diagnose
from initsk.diagnosis._health import health_by_kind
from initsk.diagnosis._measurements import draw_samples, take_measurements
from initsk.diagnosis._predict import predict_signal
from initsk.diagnosis._recommend import Advice, Recommendation, by_initializer, recommend_initializer

__all__ = [
    "Advice", "DepthBudget", "Diagnosis", "Recommendation", "by_initializer", "diagnose", "draw_samples",
    "health_by_kind", "predict_signal", "recommend_initializer", "take_measurements",
]  # fmt: skip
