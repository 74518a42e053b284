"""Equal shares of dead units are explained where initializers share their random numbers."""

import numpy as np
import pytest

from initsk import MLPClassifier, compare_initializers
from initsk.report import summarize

# Few samples with positive values, so that some units are dead.
X = np.random.default_rng(0).uniform(0, 1, (40, 6)) + 3
Y = np.arange(40) % 2


@pytest.mark.parametrize(("activation", "explained"), [("relu", True), ("tanh", False)])
def test_equal_shares_of_dead_units_are_explained(activation, explained):
    names = ["he_normal", "glorot_normal", "he_uniform", "zeros"]
    clf = MLPClassifier((16,), max_epochs=1, activation=activation)
    result = compare_initializers(clf, X, Y, initializers=names, n_repeats=1)
    [section] = [section for section in summarize(result).sections if section.key == "activations"]
    words = " ".join(str(element) for element in section.elements)
    assert ("he_normal and glorot_normal have equal shares of dead units" in words) == explained
