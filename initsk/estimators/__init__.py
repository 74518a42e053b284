"""Estimators: skorch nets with an initializer, and the scikit-learn MLPs built on them."""

from initsk.estimators._adopt import with_initializer
from initsk.estimators._mlp_classifier import MLPClassifier
from initsk.estimators._mlp_regressor import MLPRegressor
from initsk.estimators._net import NeuralNetClassifier, NeuralNetRegressor
from initsk.estimators._optimizers import get_optimizer as get_optimizer

__all__ = ["MLPClassifier", "MLPRegressor", "NeuralNetClassifier", "NeuralNetRegressor", "with_initializer"]
