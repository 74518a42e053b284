"""Diagnosis before training, and recommendation of initializers."""

from initsk.diagnosis._audit import Audit, audit
from initsk.diagnosis._audit_draws import truncation_of
from initsk.diagnosis._audit_subject import NotChecked
from initsk.diagnosis._depth_budget import DepthBudget
from initsk.diagnosis._diagnose import diagnose
from initsk.diagnosis._diagnosis import Diagnosis
from initsk.diagnosis._features import Question, TrialValues, static_features
from initsk.diagnosis._learning_rates import RateRange
from initsk.diagnosis._predict import predict_signal
from initsk.diagnosis._recommend import Advice, Recommendation, by_initializer, recommend_initializer
from initsk.diagnosis._score import REACHED, SHORTEST_TRIAL, ScoreModel, load_model
from initsk.diagnosis._setup import measure_trials
from initsk.diagnosis._trial import Trial

__all__ = [
    "REACHED", "SHORTEST_TRIAL", "Advice", "Audit", "DepthBudget", "Diagnosis", "NotChecked", "Question", "RateRange",
    "Recommendation", "ScoreModel", "Trial", "TrialValues", "audit", "by_initializer", "diagnose", "load_model",
    "measure_trials", "predict_signal", "recommend_initializer", "static_features", "truncation_of",
]  # fmt: skip
