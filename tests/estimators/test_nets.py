"""Nets of skorch with an initializer and a random state, and skorch's own features."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch.callbacks import (
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    LRScheduler,
    TrainEndCheckpoint,
)
from skorch.dataset import ValidSplit
from skorch.helper import SkorchDoctor
from skorch.utils import noop
from torch import nn

from initsk import NeuralNetClassifier, NeuralNetRegressor, inspect_activations
from initsk.estimators import with_initializer
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Orthogonal
from initsk.testing._global_state import global_state
from tests.helpers import build, label


class Convolutional(nn.Module):
    """A user's module with dropout, a convolution and a parameter outside of layers."""

    def __init__(self, n_channels=4, dropout=0.2, n_outputs=10):
        super().__init__()
        self.conv = nn.Conv2d(1, n_channels, 3)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(n_channels * 36, n_outputs)
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, X):
        return self.head(self.drop(torch.relu(self.conv(X.view(-1, 1, 8, 8)))).flatten(1)) * self.factor


class OneLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, X):
        return self.layer(X)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32)[:400], y[:400].astype(np.int64)


def net(kind=NeuralNetClassifier, **arguments):
    criterion = {} if kind is NeuralNetRegressor else {"criterion": nn.CrossEntropyLoss}
    settings = {"random_state": 0, "verbose": 0, "max_epochs": 2, "lr": 0.1, **criterion}
    return kind(**{"module": Convolutional, **settings, **arguments})


def weights(fitted):
    return [p.detach().clone() for p in fitted.module_.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_initialize_fills_the_weights(digits):
    ready = net(initializer=Orthogonal(2.0)).initialize()
    w = ready.module_.head.weight.detach()
    torch.testing.assert_close(w @ w.T, 4 * torch.eye(10), rtol=0, atol=1e-4)
    # An inspection before `fit` measures the weights at the start of training.
    before = inspect_activations(ready, digits[0]).to_frame()["rms"]
    seen = []

    class AtTheStart(skorch.callbacks.Callback):
        def on_train_begin(self, net, X, **kwargs):
            seen.append(inspect_activations(net, X).to_frame()["rms"])

    net(initializer=Orthogonal(2.0), callbacks=[AtTheStart()]).fit(*digits)
    pd.testing.assert_series_equal(seen[0], before)


def test_the_record_has_the_filled_parameters():
    record = net(bias_initializer="ones", output_initializer="zeros").initialize().initialization_record_.to_frame()
    found = record.set_index("name")
    assert found["touched"].to_dict() == {
        "conv.weight": True, "conv.bias": True, "head.weight": True, "head.bias": True, "factor": False,
    }  # fmt: skip
    assert found.loc["head.weight", "initializer"] == "Zeros()"
    assert found.loc["conv.bias", "initializer"] == "Ones()"


def test_without_an_initializer_the_module_keeps_its_weights():
    torch_s = net(initializer=None).initialize()
    assert not hasattr(torch_s, "initialization_record_")
    bound = 1 / np.sqrt(144)
    assert float(torch_s.module_.head.weight.detach().abs().max()) <= bound
    assert same(torch_s, net(initializer=None).initialize())


@pytest.mark.parametrize(
    "split", [ValidSplit(0.2), ValidSplit(0.2, stratified=True), ValidSplit(4, stratified=True)], ids=label
)
@pytest.mark.parametrize("kind", [NeuralNetClassifier, NeuralNetRegressor])
def test_random_state_determines_all_random_numbers(digits, kind, split):
    X, y = digits
    regression = kind is NeuralNetRegressor
    if regression and split.stratified:
        pytest.skip("numbers have no strata")
    y = y.astype(np.float32).reshape(-1, 1) if regression else y
    outputs = {"module__n_outputs": 1, "lr": 1e-3} if regression else {}
    arguments = {"train_split": split, "iterator_train__shuffle": True, "module__dropout": 0.5, **outputs}
    before = global_state()
    first, second = (net(kind, **arguments).fit(X, y) for _ in range(2))
    assert global_state() == before
    other = net(kind, random_state=1, **arguments).fit(X, y)
    assert same(first, second)
    assert first.history[:, "valid_loss"] == second.history[:, "valid_loss"]
    assert not same(first, other)


def test_the_seed_determines_weights_order_and_dropout(digits):
    def fitted(seed, shuffle=False, dropout=0.0, initializer="ones"):
        ready = net(
            random_state=seed, iterator_train__shuffle=shuffle, module__dropout=dropout, initializer=initializer,
            max_epochs=1, train_split=None,
        )  # fmt: skip
        return ready.fit(*digits)

    # Without random parts all seeds give the same weights; then one part at a time is random.
    assert same(fitted(0), fitted(1))
    assert not same(fitted(0, initializer="he_normal"), fitted(1, initializer="he_normal"))
    assert not same(fitted(0, shuffle=True), fitted(1, shuffle=True))
    assert not same(fitted(0, dropout=0.5), fitted(1, dropout=0.5))


def test_the_seed_determines_further_training(digits):
    def twice():
        ready = net(warm_start=True, iterator_train__shuffle=True).fit(*digits)
        return ready.partial_fit(*digits)

    assert same(twice(), twice())


def test_prefixed_parameters_reach_their_parts(digits):
    ready = net(
        module__n_channels=2, optimizer=torch.optim.AdamW, optimizer__weight_decay=0.5, iterator_train__batch_size=50,
        iterator_train__drop_last=True, iterator_valid__batch_size=7, criterion__label_smoothing=0.1, train_split=None,
    ).fit(digits[0][:120], digits[1][:120])  # fmt: skip
    assert ready.module_.conv.out_channels == 2
    assert ready.optimizer_.param_groups[0]["weight_decay"] == 0.5
    assert ready.criterion_.label_smoothing == 0.1
    assert [batch["train_batch_size"] for batch in ready.history[-1, "batches"]] == [50, 50]
    ready.set_params(module__n_channels=3)
    assert ready.module_.conv.out_channels == 3
    assert ready.initialization_record_.to_frame().set_index("name").loc["head.weight", "shape"] == "10x108"


def test_nested_parameters_reach_the_initializer():
    ready = net(initializer="orthogonal").set_params(initializer__gain=3.0)
    assert ready.initializer == Orthogonal(3.0)
    assert clone(ready).initializer == Orthogonal(3.0)
    assert ready.get_params()["initializer__gain"] == 3.0
    with pytest.raises(ValueError, match="gian"):
        ready.set_params(initializer__gian=1)


def test_callbacks_and_checkpoints_work_as_in_skorch(digits, tmp_path):
    ready = net(
        max_epochs=30,
        callbacks=[
            EarlyStopping(patience=2, load_best=True, sink=noop),
            Checkpoint(dirname=tmp_path, f_pickle="net.pkl", monitor="valid_loss_best"),
            TrainEndCheckpoint(dirname=tmp_path / "end"),
            LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.9),
            EpochScoring("f1_macro", name="f1", lower_is_better=False),
            GradientNormClipping(1.0),
            Freezer("factor"),
        ],
    ).fit(*digits)
    assert 2 < len(ready.history) <= 30
    assert ready.history[-1, "f1"] > 0.3
    assert float(ready.module_.factor) == 1
    best = net().initialize()
    best.load_params(checkpoint=Checkpoint(dirname=tmp_path))
    np.testing.assert_allclose(best.predict_proba(digits[0]), ready.predict_proba(digits[0]), rtol=1e-5)
    with open(tmp_path / "net.pkl", "rb") as stream:
        assert same(pickle.load(stream), best)


def test_saved_parameters_can_be_loaded(digits, tmp_path):
    names = ("f_params", "f_optimizer", "f_history", "f_criterion")
    files = {name: str(tmp_path / name) for name in names}
    ready = net().fit(*digits)
    ready.save_params(**files)
    again = net(random_state=5).initialize()
    again.load_params(**files)
    assert same(again, ready)
    assert again.history[:, "train_loss"] == ready.history[:, "train_loss"]


@pytest.mark.parametrize("given", ["auto", None, torch.sigmoid], ids=label)
def test_predict_nonlinearity_applies_to_predictions(digits, given):
    ready = net(predict_nonlinearity=given).fit(*digits)
    scores = ready.forward(digits[0])
    expected = {"auto": scores.softmax(1), None: scores}.get(given, scores.sigmoid())
    np.testing.assert_allclose(ready.predict_proba(digits[0]), expected.numpy(), rtol=1e-5)


def test_the_doctor_records_the_initial_weights(digits):
    doctor = SkorchDoctor(net(module=OneLayer, initializer="zeros", max_epochs=1))
    doctor.fit(*digits)
    assert doctor.activation_recs_["module"][0]["layer"].max() == 0


def test_nets_work_in_pipelines_and_cross_validation(digits):
    adam = net(max_epochs=20, optimizer=torch.optim.Adam, lr=0.01)
    scores = cross_val_score(make_pipeline(MinMaxScaler(), adam), *digits, cv=3, error_score="raise")
    assert scores.mean() > 0.6
    fitted = net().fit(*digits)
    assert fitted.classes_.tolist() == list(range(10))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(digits[0]), fitted.predict(digits[0]))


def test_mappings_and_data_sets_are_accepted(digits):
    X, y = digits

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 10)

        def forward(self, left, right):
            return self.layer(torch.cat([left, right], dim=1))

    named = net(module=Named).fit({"left": X[:, :32], "right": X[:, 32:]}, y)
    assert named.predict({"left": X[:, :32], "right": X[:, 32:]}).shape == (400,)
    dataset = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(y))
    assert net(train_split=None).fit(dataset, y=None).predict(X).shape == (400,)
    # An initializer that needs data gets a batch of a mapping too.
    assert net(module=Named, initializer="lsuv").fit({"left": X[:, :32], "right": X[:, 32:]}, y).initialized_


def test_a_regressor_trains(digits):
    X, y = digits[0], digits[1].astype(np.float32).reshape(-1, 1)
    adam = {"optimizer": torch.optim.Adam, "lr": 0.01, "max_epochs": 40}
    ready = net(NeuralNetRegressor, module__n_outputs=1, initializer="lsuv", **adam).fit(X, y)
    assert ready.score(X, y) > 0.5
    assert ready.initialization_record_.to_frame()["why"].str.contains("LSUV").any()


def test_a_given_module_is_used_and_a_clone_copies_it(digits):
    module = build(Convolutional)
    ready = net(module=module).initialize()
    assert ready.module_ is module
    copied = clone(net(module=module)).fit(*digits)
    assert copied.module_ is not module


def test_unknown_parameters_are_an_error():
    with pytest.raises(ValueError, match=r"orthgonal.*did you mean 'orthogonal'"):
        net(initializer="orthgonal").initialize()
    with pytest.raises(ValueError, match="modul__n_channels"):
        net(modul__n_channels=2).initialize()
    with pytest.raises(ValueError, match="random_state='x'"):
        net(random_state="x").initialize()


class OwnNet(skorch.NeuralNetClassifier):
    """A class of nets written by a user, with one more parameter."""

    def __init__(self, *args, factor=1.0, **kwargs):
        self.factor = factor
        super().__init__(*args, **kwargs)


def test_any_skorch_net_takes_an_initializer():
    plain = OwnNet(nn.Linear, module__in_features=3, module__out_features=2, factor=2.0, max_epochs=3, lr=0.5)
    net = with_initializer(plain, "orthogonal", random_state=0)
    assert isinstance(net, OwnNet)
    assert (net.factor, net.max_epochs, net.lr) == (2.0, 3, 0.5)
    assert "initializer" not in plain.get_params()
    copy = clone(net).set_params(initializer__gain=2.0).initialize()
    torch.testing.assert_close(copy.module_.weight @ copy.module_.weight.T, 4 * torch.eye(2))
    assert with_initializer(net) is net
    with pytest.raises(InvalidParameterError, match="a skorch net"):
        with_initializer(object())


@pytest.mark.parametrize("fitted", [False, True])
def test_nets_with_an_initializer_are_pickled_and_copied(fitted):
    module = {"module__in_features": 3, "module__out_features": 1}
    net = with_initializer(skorch.NeuralNetRegressor(nn.Linear, max_epochs=1, verbose=0, **module), "orthogonal")
    if fitted:
        net.fit(np.ones((8, 3), np.float32), np.ones((8, 1), np.float32))
    X = np.ones((2, 3), np.float32)
    for same in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert (type(same), same.initializer) == (type(net), "orthogonal")
        if fitted:
            np.testing.assert_array_equal(same.predict(X), net.predict(X))
    assert type(with_initializer(skorch.NeuralNetRegressor(nn.Linear))) is type(net)
