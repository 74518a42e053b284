"""One small comparison for all tests of reports."""

import pytest
from sklearn.datasets import load_digits

from initsk import MLPClassifier, compare_initializers


@pytest.fixture(scope="session")
def result():
    X, y = load_digits(return_X_y=True)
    return compare_initializers(
        MLPClassifier((8,), max_epochs=2), X / 16, y, initializers=["zeros", "he_normal"], n_repeats=2
    )
