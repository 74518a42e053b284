"""Racing: significantly worse initializers are stopped."""

from sklearn.datasets import load_iris

from initsk import MLPClassifier, compare_initializers

X, Y = load_iris(return_X_y=True)


def test_racing_stops_significantly_worse_initializers():
    clf = MLPClassifier((16,), max_epochs=8, lr=0.02)
    arguments = {"initializers": ["zeros", "he_normal", "orthogonal"], "n_repeats": 6, "activations": False}
    whole, raced = (compare_initializers(clf, X, Y, racing=racing, **arguments) for racing in (False, True))
    assert whole.summary()["initializer"][0] == raced.summary()["initializer"][0]
    [(name, after)] = raced.settings["racing"]["stopped"].items()
    assert name == "zeros"
    assert raced.settings["racing"]["runs_saved"] == 6 - after == len(whole.runs) - len(raced.runs)
    # Both comparisons have the same scores.
    keys = ["initializer", "repeat"]
    both = raced.runs.merge(whole.runs, on=keys, suffixes=("", "_whole"))
    assert (both["score"] == both["score_whole"]).all()


def test_racing_stops_initializers_without_a_score():
    def fails(tensor):
        raise RuntimeError

    result = compare_initializers(
        MLPClassifier((8,), max_epochs=1), X, Y, initializers=[fails, "he_normal"], n_repeats=5, racing=True
    )
    assert result.settings["racing"] == {"stopped": {"fails": 2}, "runs_saved": 3}
