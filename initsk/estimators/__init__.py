"""Estimators: skorch nets with an initializer, and the scikit-learn MLPs built on them."""

from initsk.estimators._adopt import with_initializer
from initsk.estimators._mlp_classifier import MLPClassifier
from initsk.estimators._mlp_regressor import MLPRegressor
from initsk.estimators._nets import NeuralNetClassifier, NeuralNetRegressor
from initsk.estimators._parameters import OPTIMIZERS, get_optimizer

__all__ = [
    "OPTIMIZERS", "MLPClassifier", "MLPRegressor", "NeuralNetClassifier", "NeuralNetRegressor", "get_optimizer",
    "with_initializer",
]  # fmt: skip
