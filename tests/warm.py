"""Imported by the server that test processes are forked from: what a first comparison loads is loaded by then."""

from sklearn.datasets import load_iris

from initsk import MLPClassifier, compare_initializers

compare_initializers(
    MLPClassifier((2,), max_epochs=1), *load_iris(return_X_y=True), initializers=["zeros"], n_repeats=1
)
