"""Estimators that several tests share."""

from initsk import MLPClassifier


def small(kind=MLPClassifier, **arguments):
    return kind(**{"hidden_layer_sizes": (8,), "max_epochs": 3, "random_state": 0, **arguments})
