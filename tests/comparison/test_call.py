"""The lines that a page offers for a repetition run, and give the same runs."""

import numpy as np
import pandas as pd
import pytest
import skorch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn, optim

from initsk import MLPClassifier, MLPRegressor, NeuralNetClassifier, compare_initializers
from initsk.initializers import Orthogonal

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)


class Small(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.hidden, self.output = nn.Linear(4, width), nn.Linear(width, 3)

    def forward(self, X):
        return self.output(self.hidden(X).relu())


def my_init(tensor):
    return tensor.fill_(0.1)


NET = {"criterion": nn.CrossEntropyLoss, "optimizer": optim.Adam, "lr": 0.01, "max_epochs": 2, "verbose": 0}
MODULE = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))


def local_class():
    class Local(Small):
        pass

    return Local


LOCAL = local_class()


@pytest.mark.parametrize(
    ("estimator", "arguments", "own"),
    [
        (MLPClassifier((4,), max_epochs=2, activation="tanh"), {"initializers": ["he", Orthogonal(2.0)]}, {}),
        (MLPRegressor((4,), max_epochs=1), {"scoring": "neg_mean_squared_error"}, {}),
        (make_pipeline(StandardScaler(with_std=False), MLPClassifier((4,), max_epochs=1)), {"cv": KFold(3)}, {}),
        (NeuralNetClassifier(Small, module__width=5, **NET), {"grid": {"lr": [0.1, 0.01]}}, {}),
        (NeuralNetClassifier(MODULE, **NET), {}, {"module": MODULE}),
        (skorch.NeuralNetClassifier(LOCAL, **NET), {"random_state": 3}, {"Local": LOCAL}),
        (make_pipeline(StandardScaler(), NeuralNetClassifier(Small, **NET)), {}, {}),
        (MLPClassifier((4,), max_epochs=1), {"initializers": [my_init, "zeros"], "X_val": X, "y_val": Y}, {}),
        (LogisticRegression(max_iter=50), {"parameter": "C", "initializers": [0.1, 1.0]}, {}),
    ],
)
def test_the_lines_run_and_give_the_same_runs(estimator, arguments, own):
    y = Y.astype(np.float32) if isinstance(estimator, MLPRegressor) else Y
    arguments = {"initializers": ["zeros", "he_normal"], "n_repeats": 1, "activations": False} | arguments
    result = compare_initializers(estimator, X, y, **arguments)
    lines = result.settings["call"]
    before, _, call = lines.rpartition("\n\n")
    scope = {"X": X, "y": y, "X_val": X, "y_val": y, **own}
    exec(before, scope)
    again = eval(call, scope)
    pd.testing.assert_frame_equal(again.runs, result.runs)
    # What the lines do not make is said.
    for name in own:
        assert f"# {name} is not in these lines" in before
    assert before.count("#") == len(own)
    assert "uninitialized" not in lines
    assert " 0x" not in lines
