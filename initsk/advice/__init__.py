"""Advice: which initializer a network should have and why, and whether it will train as it is."""

from initsk.advice._diagnose import Diagnosis, diagnose
from initsk.advice._recommend import Recommendation, by_initializer as by_initializer, recommend_initializer

__all__ = ["Diagnosis", "Recommendation", "diagnose", "recommend_initializer"]
