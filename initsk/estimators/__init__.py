"""Estimators: skorch nets with an initializer, and the scikit-learn MLPs built on them."""

from initsk.estimators._adopt import with_initializer
from initsk.estimators._mlp_classifier import MLPClassifier
from initsk.estimators._mlp_regressor import MLPRegressor
from initsk.estimators._nets import NeuralNetClassifier, NeuralNetRegressor
from initsk.estimators._unknown_parameters import OTHER_NAMES, describe_unknown

__all__ = [
    "OTHER_NAMES", "MLPClassifier", "MLPRegressor", "NeuralNetClassifier", "NeuralNetRegressor", "describe_unknown",
    "with_initializer",
]  # fmt: skip
