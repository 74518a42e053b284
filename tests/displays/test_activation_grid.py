from sklearn.datasets import load_digits

from initsk import MLPClassifier, compare_initializers
from initsk.displays import ActivationGridDisplay
from initsk.initializers import RandomNormal


def test_an_explosion_does_not_hide_the_others():
    X, y = load_digits(return_X_y=True)
    names = ["he_normal", RandomNormal(1e9), "orthogonal"]
    result = compare_initializers(MLPClassifier((8,), max_epochs=1), X / 16, y, initializers=names, n_repeats=1)
    display = ActivationGridDisplay.from_frames(result.histograms, result.layers, phase="initialized").plot()
    for row, ax in zip(display.initializers, display.axes_[:, 0], strict=True):
        notes = " ".join(text.get_text() for text in ax.texts)
        assert ax.get_xlim()[1] < 100
        assert ("up to" in notes) == ("1000000000" in row)
