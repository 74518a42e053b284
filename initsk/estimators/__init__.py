"""Estimators: skorch nets with an initializer, and the scikit-learn MLP built on them."""

from initsk.estimators._mlp import MLPClassifier
from initsk.estimators._net import NeuralNetClassifier

__all__ = ["MLPClassifier", "NeuralNetClassifier"]
