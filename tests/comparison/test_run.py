"""Runs are paired and repeatable, and measuring does not change them."""

import numpy as np
import pytest
import skorch
import torch
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from skorch.callbacks import Callback
from torch import nn

from initsk import MLPClassifier, MLPRegressor, NeuralNetClassifier, compare_initializers
from initsk.estimators import with_initializer
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Orthogonal

X, Y = load_iris(return_X_y=True)
X32 = X.astype(np.float32)
SEEN = []


class Batches(Callback):
    """Records the order of the samples, and the next random number of each step."""

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            SEEN.append(batch[0].sum().item())

    def on_grad_computed(self, net, named_parameters=None, **kwargs):
        SEEN.append(torch.rand(1, generator=torch.random.default_generator.clone_state()).item())


class Small(nn.Module):
    def __init__(self, width=8, dropout=0.0):
        super().__init__()
        self.hidden, self.drop, self.output = nn.Linear(4, width), nn.Dropout(dropout), nn.Linear(width, 3)

    def forward(self, X):
        return self.output(self.drop(torch.relu(self.hidden(X))))


def plain_net(**arguments):
    return skorch.NeuralNetClassifier(
        Small, criterion=nn.CrossEntropyLoss, max_epochs=2, verbose=0, batch_size=16, **arguments
    )


@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier((8,), max_epochs=2, dropout=0.3, callbacks=[Batches()]),
        plain_net(module__dropout=0.3, callbacks=[("batches", Batches())]),
        make_pipeline(StandardScaler(), MLPClassifier((8,), max_epochs=2, dropout=0.3, callbacks=[Batches()])),
    ],
)
@pytest.mark.parametrize("arguments", [pytest.param({}, marks=pytest.mark.slow), {"cv": 2}])
def test_all_initializers_get_the_same_batches_and_masks(estimator, arguments):
    SEEN.clear()
    result = compare_initializers(estimator, X32, Y, initializers=["zeros", Orthogonal(2.0)], n_repeats=2, **arguments)
    assert set(result.runs["status"]) == {"ok"}
    blocks = np.reshape(SEEN, (len(result.runs) // 2, 2, -1))
    assert (blocks == blocks[:, :1]).all()
    assert len({tuple(block[0]) for block in blocks}) == len(blocks)
    assert result.runs.groupby(["repeat", "fold"])[["seed", "split"]].nunique().eq(1).all(axis=None)


def test_all_initializers_get_the_same_dropout_masks():
    # The layer applies dropout to ones, which makes the mask visible.
    masks = []

    class Masks(nn.Dropout):
        def forward(self, X):
            kept = super().forward(torch.ones_like(X))
            if self.training:
                masks.append(kept.sum().item())
            return X * kept

    class Masked(Small):
        def __init__(self):
            super().__init__()
            self.drop = Masks(0.5)

    net = skorch.NeuralNetClassifier(Masked, criterion=nn.CrossEntropyLoss, max_epochs=2, verbose=0)
    compare_initializers(net, X32, Y, initializers=["zeros", "he_normal"], n_repeats=2, activations=False)
    runs = np.reshape(masks, (2, 2, -1))
    assert (runs[:, 0] == runs[:, 1]).all()
    assert not (runs[0] == runs[1]).all()


def test_families_share_their_random_numbers():
    # The weights of He and Glorot differ only in scale.
    units = []

    class Weights(Callback):
        def on_train_begin(self, net, **kwargs):
            weight = net.module_.get_parameter("hidden_1.weight").detach()
            units.append(weight / weight.std())

    clf = MLPClassifier((8,), max_epochs=1, callbacks=[Weights()])
    compare_initializers(clf, X, Y, initializers=["he_normal", "glorot_normal", "lecun_normal"], n_repeats=1)
    for weight in units[1:]:
        torch.testing.assert_close(weight, units[0])


def test_a_run_can_be_repeated_by_hand():
    names = ["he_normal", "orthogonal"]
    clf = MLPClassifier((8,), max_epochs=3)
    result = compare_initializers(clf, X, Y, X_val=X, y_val=Y, initializers=names, n_repeats=2)
    for run in result.runs.itertuples():
        clf = MLPClassifier((8,), max_epochs=3, initializer=run.initializer, random_state=run.seed, n_threads=1)
        assert clf.fit(X, Y).score(X, Y) == run.score


@pytest.mark.parametrize(
    "net",
    [
        plain_net(),
        NeuralNetClassifier(Small, criterion=nn.CrossEntropyLoss, max_epochs=2, verbose=0, batch_size=16),
        pytest.param(make_pipeline(StandardScaler(), plain_net()), marks=pytest.mark.slow),
        pytest.param(plain_net(callbacks__train_loss=None, callbacks__epoch_timer=None), marks=pytest.mark.slow),
        plain_net(train_split=None, callbacks=[skorch.callbacks.EpochScoring("f1_macro", on_train=True)]),
    ],
)
def test_any_skorch_net(net):
    result = compare_initializers(net, X32, Y, initializers=["zeros", "he_normal"], n_repeats=2)
    assert set(result.runs["status"]) == {"ok"}
    assert result.history.groupby(["initializer", "repeat"], observed=True).size().tolist() == [2] * 4
    assert set(result.layers["layer"]) == {"hidden", "output"}
    start = result.layers.query("phase == 'initialized' and layer == 'hidden'").groupby("initializer", observed=True)
    assert start["std"].max()["zeros"] == 0
    assert start["std"].min()["he_normal"] > 0.1
    last = result.history.query("epoch == 2")
    np.testing.assert_array_equal(last["val_score"], result.runs["score"])


def test_measuring_does_not_change_the_training():
    names = ["zeros", "he_normal"]
    plain = compare_initializers(plain_net(), X32, Y, initializers=names, n_repeats=2, activations=False)
    assert plain.layers.empty
    assert plain.histograms.empty
    measured = compare_initializers(plain_net(), X32, Y, initializers=names, n_repeats=2)
    assert plain.runs.equals(measured.runs)
    net = with_initializer(plain_net(), "he_normal", random_state=int(plain.runs["seed"][0]))
    single = compare_initializers(net, X32, Y, initializers=["he_normal"], n_repeats=1)
    assert single.runs["score"][0] == plain.runs.query("initializer == 'he_normal' and repeat == 0")["score"].item()


def test_early_stopping_does_not_use_the_validation_data():
    clf = MLPClassifier((8,), max_epochs=30, early_stopping=True, patience=2, lr=0.05)
    easy = compare_initializers(clf, X, Y, X_val=X, y_val=Y, initializers=["he_normal"], n_repeats=2)
    other = compare_initializers(clf, X, Y, X_val=X, y_val=Y[::-1], initializers=["he_normal"], n_repeats=2)
    assert easy.runs["epochs"].tolist() == other.runs["epochs"].tolist()
    assert (easy.history["train_loss"] == other.history["train_loss"]).all()


def test_images_of_bytes_train_like_floats():
    images = (X * 30).astype(np.uint8)
    arguments = {"initializers": ["zeros", "he_normal"], "n_repeats": 1}
    scaled = compare_initializers(MLPClassifier((8,), max_epochs=2, input_scale=1 / 255), images, Y, **arguments)
    floats = compare_initializers(MLPClassifier((8,), max_epochs=2), images / np.float32(255), Y, **arguments)
    np.testing.assert_allclose(scaled.history["train_loss"], floats.history["train_loss"], rtol=1e-4)


def test_regressors():
    X, y = load_diabetes(return_X_y=True)
    reg = MLPRegressor((8,), max_epochs=3, lr=0.05)
    result = compare_initializers(reg, X, y / 100, initializers=["zeros", "he_normal"], n_repeats=2)
    assert set(result.runs["status"]) == {"ok"}
    assert (result.runs["val_ratio"] == 111 / 331).all()


def test_a_comparison_without_any_score_warns():
    def refusing(model, X, y):
        raise ValueError("not today")

    words = r"no run gave a score \(number of runs: 2\); reason of the first: ValueError"
    with pytest.warns(FitFailedWarning, match=words):
        compare_initializers(
            MLPClassifier((8,), max_epochs=1), X, Y, initializers=["zeros"], n_repeats=2, scoring=refusing
        )


@pytest.mark.parametrize("scoring", ["roc_auc", ["roc_auc"], {"own": "f1"}])
def test_scorers_that_cannot_score_the_targets_are_refused(scoring):
    with pytest.raises(InvalidParameterError, match=r"cannot score these targets \(.*; use (roc_auc_ovr|f1_macro)"):
        compare_initializers(MLPClassifier((8,)), X, Y, initializers=["zeros"], scoring=scoring)


def test_a_failed_run_does_not_stop_the_others():
    def fails(tensor):
        raise MemoryError(f"no room for {tensor!r:.20} at {object()}")

    result = compare_initializers(
        MLPClassifier((8,), max_epochs=1), X, Y, initializers=[fails, "he_normal"], n_repeats=2
    )
    assert result.runs["status"].tolist() == ["failed", "failed", "ok", "ok"]
    # A reason without addresses is the same in every process.
    assert "0x" not in result.runs["reason"][0]


@pytest.mark.filterwarnings("ignore:no run gave a score")
def test_a_score_that_is_not_finite_is_a_failure():
    result = compare_initializers(
        LogisticRegression(), X, Y, parameter="C", initializers=[1.0], n_repeats=1, scoring=lambda *_: np.nan
    )
    assert result.runs[["status", "reason"]].iloc[0].tolist() == ["failed", "a score is not finite"]


class Leaves(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise SystemExit(3)


@pytest.mark.filterwarnings("ignore:no run gave a score")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_run_that_ends_the_program_has_failed(n_jobs):
    clf = MLPClassifier((8,), max_epochs=1, callbacks=[Leaves()])
    result = compare_initializers(clf, X, Y, initializers=["zeros", "ones"], n_repeats=1, n_jobs=n_jobs)
    assert result.runs["status"].tolist() == ["failed", "failed"]
    assert result.runs["reason"].tolist() == ["SystemExit: 3"] * 2


@pytest.mark.parametrize(
    ("estimator", "parameter", "reason"),
    [
        (
            BaggingClassifier(MLPClassifier((2,), max_epochs=1), n_estimators=2),
            "estimator__initializer",
            "BaggingClassifier has 2 networks",
        ),
        (SVC(), "kernel", "SVC has no network"),
    ],
)
def test_a_run_without_layers_says_why(estimator, parameter, reason):
    values = ["zeros", "he_normal"] if "initializer" in parameter else ["linear", "rbf"]
    X, y = load_iris(return_X_y=True)
    result = compare_initializers(estimator, X, y, initializers=values, parameter=parameter, n_repeats=1)
    assert result.layers.empty
    assert set(result.runs["no_layers"]) == {reason}
    assert f"No layers were measured: {reason}." in result.to_markdown()
