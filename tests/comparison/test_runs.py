"""What is compared, on what, and that it is paired."""

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

from initsk import MLPClassifier, MLPRegressor, NeuralNetClassifier, compare_initializers
from initsk.estimators import with_initializer
from initsk.exceptions import InvalidParameterError
from initsk.initializers import HeNormal, Orthogonal

X, Y = load_iris(return_X_y=True)
X32 = X.astype(np.float32)
SEEN = []


class Batches(Callback):
    """Notes the order of the samples, and where the stream of random numbers is at each step."""

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
@pytest.mark.parametrize("arguments", [{}, {"cv": 3}])
def test_all_initializers_see_the_same_batches_and_masks(estimator, arguments):
    SEEN.clear()
    result = compare_initializers(
        estimator, X32, Y, initializers=["zeros", "he_normal", Orthogonal(2.0)], n_repeats=2, **arguments
    )
    assert set(result.runs["status"]) == {"ok"}
    blocks = np.reshape(SEEN, (len(result.runs) // 3, 3, -1))
    assert (blocks == blocks[:, :1]).all()
    assert len({tuple(block[0]) for block in blocks}) == len(blocks)
    assert result.runs.groupby(["repeat", "fold"])[["seed", "split"]].nunique().eq(1).all(axis=None)


def test_masks_of_dropout_are_the_same():
    # With weights of zero the first layer gives its bias: a constant, of which dropout shows its mask.
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
    # He's weights are Glorot's in other units.
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
    result = compare_initializers(MLPClassifier((8,), max_epochs=3), X, Y, X_val=X, y_val=Y, n_repeats=2)
    for run in result.runs.itertuples():
        clf = MLPClassifier((8,), max_epochs=3, initializer=run.initializer, random_state=run.seed, n_threads=1)
        assert clf.fit(X, Y).score(X, Y) == run.score


@pytest.mark.parametrize(
    "net",
    [
        plain_net(),
        NeuralNetClassifier(Small, criterion=nn.CrossEntropyLoss, max_epochs=2, verbose=0, batch_size=16),
        make_pipeline(StandardScaler(), plain_net()),
        plain_net(callbacks__train_loss=None, callbacks__epoch_timer=None),
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
    plain = compare_initializers(plain_net(), X32, Y, n_repeats=2, activations=False)
    assert plain.layers.empty
    assert plain.histograms.empty
    measured = compare_initializers(plain_net(), X32, Y, n_repeats=2)
    assert plain.runs.equals(measured.runs)
    net = with_initializer(plain_net(), "he_normal", random_state=int(plain.runs["seed"][3]))
    alone = compare_initializers(net, X32, Y, initializers=["he_normal"], n_repeats=1)
    assert alone.runs["score"][0] == plain.runs.query("initializer == 'he_normal' and repeat == 0")["score"].item()


def test_early_stopping_does_not_see_the_held_out_data():
    clf = MLPClassifier((8,), max_epochs=30, early_stopping=True, patience=2, lr=0.05)
    easy = compare_initializers(clf, X, Y, X_val=X, y_val=Y, initializers=["he_normal"], n_repeats=2)
    other = compare_initializers(clf, X, Y, X_val=X, y_val=Y[::-1], initializers=["he_normal"], n_repeats=2)
    assert easy.runs["epochs"].tolist() == other.runs["epochs"].tolist()
    assert (easy.history["train_loss"] == other.history["train_loss"]).all()


def test_images_of_bytes_need_no_copy():
    images = (X * 30).astype(np.uint8)
    scaled = compare_initializers(MLPClassifier((8,), max_epochs=2, input_scale=1 / 255), images, Y, n_repeats=1)
    floats = compare_initializers(MLPClassifier((8,), max_epochs=2), images / np.float32(255), Y, n_repeats=1)
    np.testing.assert_allclose(scaled.history["train_loss"], floats.history["train_loss"], rtol=1e-4)


def test_a_search_inside_of_every_run():
    search = GridSearchCV(MLPClassifier((8,), max_epochs=2, n_threads=1), {"lr": [0.001, 0.05]}, cv=2)
    result = compare_initializers(search, X, Y, initializers=["zeros", "he_normal"], n_repeats=2)
    assert result.settings["parameter"] == "estimator__initializer"
    assert result.summary()["initializer"].tolist() == ["he_normal", "zeros"]


def test_regressors():
    X, y = load_diabetes(return_X_y=True)
    reg = MLPRegressor((8,), max_epochs=3, lr=0.05)
    result = compare_initializers(reg, X, y / 100, initializers=["zeros", "he_normal"], n_repeats=2)
    assert set(result.runs["status"]) == {"ok"}
    assert (result.runs["val_ratio"] == 111 / 331).all()


def test_any_estimator_with_a_parameter_to_vary():
    result = compare_initializers(
        LogisticRegression(max_iter=1000), X, Y, parameter="C", initializers=[1e-3, 1.0], cv=5, n_repeats=2
    )
    assert result.initializers == ["0.001", "1.0"]
    assert result.summary()["initializer"].tolist() == ["1.0", "0.001"]
    assert result.history.empty
    seeded = compare_initializers(SGDClassifier(), X, Y, parameter="alpha", initializers=[1e-4], n_repeats=2)
    for run in seeded.runs.itertuples():
        assert run.status == "ok"


def test_folds_are_those_of_the_splitter():
    cv = StratifiedKFold(4, shuffle=True, random_state=3)
    tree = LogisticRegression(max_iter=1000)
    result = compare_initializers(tree, X, Y, parameter="C", initializers=[1.0], cv=cv, n_repeats=1)
    assert result.runs["score"].tolist() == cross_val_score(tree, X, Y, cv=cv).tolist()


@pytest.mark.parametrize(
    ("cv", "n_splits"),
    [
        (3, 6),
        (KFold(3), 3),
        (KFold(3, shuffle=True), 6),
        (KFold(3, shuffle=True, random_state=0), 3),
        (ShuffleSplit(3, test_size=0.2), 6),
        ([(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(50))], 2),
    ],
)
def test_what_is_shuffled_anew_in_every_repeat(cv, n_splits):
    lr = LogisticRegression(max_iter=1000)
    result = compare_initializers(lr, X, Y, parameter="C", initializers=[1.0], cv=cv, n_repeats=2)
    again = compare_initializers(lr, X, Y, parameter="C", initializers=[1.0], cv=cv, n_repeats=2)
    assert result.runs["split"].nunique() == n_splits
    assert again.runs.equals(result.runs)


def test_groups_stay_together():
    groups = np.arange(150) // 10
    result = compare_initializers(
        LogisticRegression(max_iter=1000), X, Y, parameter="C", initializers=[1.0], cv=GroupKFold(5), groups=groups,
        n_repeats=1,
    )  # fmt: skip
    expected = cross_val_score(LogisticRegression(max_iter=1000), X, Y, cv=GroupKFold(5), groups=groups)
    assert result.runs["score"].tolist() == expected.tolist()


def test_columns_in_another_order_are_refused():
    frame = pd.DataFrame(X, columns=list("abcd"))
    with pytest.raises(InvalidParameterError, match=r"X_val has the columns .'d', 'c', 'b', 'a'., X has"):
        compare_initializers(MLPClassifier((8,)), frame, Y, X_val=frame[list("dcba")], y_val=Y)


def test_labels_that_a_fold_does_not_train_on_count_as_wrong():
    result = compare_initializers(MLPClassifier((8,), max_epochs=2), X, Y, cv=KFold(3), n_repeats=1)
    # Iris is sorted by class: nothing that is held out was seen.
    assert set(result.runs["status"]) == {"ok"}
    assert (result.runs["score"] == 0).all()
    assert result.history["val_loss"].isna().all()


def test_lists_of_texts():
    pipe = make_pipeline(TfidfVectorizer(), LogisticRegression())
    texts = ["good day", "bad day"] * 20
    result = compare_initializers(
        pipe, texts, [0, 1] * 20, parameter="logisticregression__C", initializers=[0.1, 1.0], n_repeats=1
    )
    assert (result.runs["score"] == 1).all()


def test_that_nothing_worked_is_said():
    with pytest.warns(FitFailedWarning, match="none of 2 runs gave a score; the first: ValueError"):
        compare_initializers(
            MLPClassifier((8,), max_epochs=1), X, Y, initializers=["zeros"], n_repeats=2, scoring="roc_auc"
        )


def test_several_scorers():
    scoring = ["f1_macro", "neg_log_loss"]
    clf = MLPClassifier((8,), max_epochs=3, lr=0.02)
    result = compare_initializers(clf, X, Y, initializers=["he_normal", "orthogonal"], n_repeats=2, scoring=scoring)
    assert (result.runs["score"] == result.runs["score_f1_macro"]).all()
    assert (result.runs["score_neg_log_loss"] < 0).all()
    means = result.runs.groupby("initializer", observed=True)["score_neg_log_loss"].mean()
    summary = result.summary(score="neg_log_loss").set_index("initializer")
    assert summary["mean_score"].to_dict() == pytest.approx(means.to_dict())
    # The curve is that of the first scorer alone.
    assert summary[["epochs_to_target", "area_under_curve"]].isna().all(axis=None)
    assert result.summary(score="f1_macro").equals(result.summary())
    assert (
        compare_initializers(clf, X, Y, n_repeats=1, scoring="f1_macro").summary(score="f1_macro")["n_runs"].eq(1).all()
    )
    own = compare_initializers(
        clf, X, Y, initializers=["he_normal"], n_repeats=1, scoring={"mine": lambda model, X, y: 0.5}
    )
    assert own.runs["score"].tolist() == [0.5]


def test_a_grid_beside_the_initializer():
    grid = {"lr": [1e-4, 1e-2], "activation": ["relu", "tanh"]}
    result = compare_initializers(
        MLPClassifier((8,), max_epochs=3), X, Y, initializers=["zeros", HeNormal("fan_out")], grid=grid, n_repeats=2
    )
    assert len(result.runs) == 2 * 4 * 2
    assert result.runs.columns[:5].tolist() == ["initializer", "lr", "activation", "repeat", "fold"]
    assert result.runs["lr"].dtype == "float64"
    alone = compare_initializers(
        MLPClassifier((8,), max_epochs=3, lr=1e-2, activation="tanh"), X, Y, initializers=["zeros"], n_repeats=2
    )
    same = result.runs.query("initializer == 'zeros' and lr == 0.01 and activation == 'tanh'")
    assert same["score"].tolist() == alone.runs["score"].tolist()
    for name, frame in result.frames.items():
        assert not frame.duplicated().any(), name
    assert len(result.summary()) == 2
    assert len(result.summary(by="setting")) == 8


def test_a_parameter_of_the_initializer_in_the_grid():
    result = compare_initializers(
        MLPClassifier((8,), max_epochs=1), X, Y, initializers=["random_normal"], n_repeats=2,
        grid={"initializer__std": [0.01, 0.5]},
    )  # fmt: skip
    start = result.layers.query("phase == 'initialized' and layer == 'hidden_1' and position == 'pre_activation'")
    stds = start.groupby("initializer__std")["std"].mean()
    assert stds[0.5] / stds[0.01] == pytest.approx(50, rel=1e-4)


def test_a_linear_rate_finds_its_initializer():
    # The best learning rate belongs to its initializer: weights a hundred times as large need another one.
    result = compare_initializers(
        MLPClassifier((16,), max_epochs=20, optimizer="sgd"), X, Y, grid={"lr": [0.01, 0.1, 1.0]},
        initializers=["he_normal", "zeros"], n_repeats=3,
    )  # fmt: skip
    by_setting = result.summary(by="setting").set_index(["initializer", "lr"])["mean_score"]
    tuned = result.summary().set_index("initializer")
    assert tuned.loc["he_normal", "lr"] == by_setting["he_normal"].idxmax()


def test_failures_are_rows_and_the_others_go_on():
    def fails(tensor):
        raise MemoryError(f"no room for {tensor!r:.20} at {object()}")

    result = compare_initializers(
        MLPClassifier((8,), max_epochs=1), X, Y, initializers=[fails, "he_normal"], n_repeats=2
    )
    assert result.runs["status"].tolist() == ["failed", "failed", "ok", "ok"]
    # Words that are the same every time: no addresses.
    assert "0x" not in result.runs["reason"][0]


@pytest.mark.filterwarnings("ignore:none of 1 runs gave a score")
def test_scores_that_are_not_numbers_fail():
    result = compare_initializers(
        LogisticRegression(), X, Y, parameter="C", initializers=[1.0], n_repeats=1, scoring=lambda *_: np.nan
    )
    assert result.runs[["status", "reason"]].iloc[0].tolist() == ["failed", "a score is not finite"]


def test_what_is_clearly_behind_is_left_out():
    clf = MLPClassifier((16,), max_epochs=8, lr=0.02)
    arguments = {"initializers": ["zeros", "he_normal", "orthogonal"], "n_repeats": 8}
    whole, halved = (compare_initializers(clf, X, Y, racing=racing, **arguments) for racing in (False, True))
    assert whole.summary()["initializer"][0] == halved.summary()["initializer"][0]
    [(name, after)] = halved.settings["racing"]["stopped"].items()
    assert name == "zeros"
    assert halved.settings["racing"]["runs_saved"] == 8 - after == len(whole.runs) - len(halved.runs)
    # The runs that were made are the same.
    keys = ["initializer", "repeat"]
    both = halved.runs.merge(whole.runs, on=keys, suffixes=("", "_whole"))
    assert (both["score"] == both["score_whole"]).all()


def test_who_never_has_a_score_is_left_out():
    def fails(tensor):
        raise RuntimeError

    result = compare_initializers(
        MLPClassifier((8,), max_epochs=1), X, Y, initializers=[fails, "he_normal"], n_repeats=5, racing=True
    )
    assert result.settings["racing"] == {"stopped": {"fails": 2}, "runs_saved": 3}


@pytest.mark.filterwarnings("ignore:none of 1 runs gave a score")
def test_frames_have_fixed_types():
    expected = {"initializer": "category", "repeat": "int64", "fold": "int64"}

    def fails(tensor):
        raise RuntimeError

    full = compare_initializers(MLPClassifier((8,), max_epochs=1), X, Y, initializers=["zeros", fails], n_repeats=1)
    none = compare_initializers(MLPClassifier((8,), max_epochs=1), X, Y, initializers=[fails], n_repeats=1)
    for name, frame in full.frames.items():
        assert frame.dtypes[:3].astype(str).to_dict() == expected
        assert [str(d) for d in frame.dtypes] == [str(d) for d in none.frames[name].dtypes], name
    assert full.runs["status"].cat.categories.tolist() == ["ok", "diverged", "failed"]
    assert full.layers["phase"].cat.categories.tolist() == ["initialized", "training", "trained"]


def test_data_frames_go_to_pipelines_as_they_are():
    frame, y = load_iris(return_X_y=True, as_frame=True)
    names = []

    def spy(model, X, y):
        names.append(list(X.columns))
        return model.score(X, y)

    pipe = make_pipeline(StandardScaler(), MLPClassifier((8,), max_epochs=1))
    compare_initializers(pipe, frame, y, initializers=["zeros"], n_repeats=1, cv=3, scoring=spy)
    assert list(frame.columns) in names


def test_which_parameter_is_compared_must_be_clear():
    with pytest.raises(InvalidParameterError, match=r"no parameter of Pipeline is.*parameter="):
        compare_initializers(make_pipeline(StandardScaler(), LogisticRegression()), X, Y)
    pipe = make_pipeline(StandardScaler(), MLPClassifier((8,), max_epochs=1))
    result = compare_initializers(
        pipe, X, Y, parameter="mlpclassifier__output_initializer", initializers=["zeros"], n_repeats=1
    )
    assert result.runs["status"].tolist() == ["ok"]


def test_pandas_joins_what_belongs_together():
    result = compare_initializers(MLPClassifier((8,), max_epochs=2), X, Y, n_repeats=2)
    keys = ["initializer", "repeat", "fold"]
    last = result.history.sort_values("epoch").groupby(keys, observed=True).last()
    joined = result.runs.merge(last, on=keys)
    assert len(joined) == len(result.runs)
    assert (joined["score"] == joined["val_score"]).all()
    assert isinstance(result.runs.pivot(index="repeat", columns="initializer", values="score"), pd.DataFrame)
