"""Tests of names of losses and optimizers, of labels and tables, and of unknown parameters of skorch nets."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from torch import nn

from initsk import NeuralNetClassifier, NeuralNetRegressor, compare_initializers, diagnose, inspect_activations
from initsk.estimators import with_initializer
from initsk.exceptions import DivergenceWarning, InitskError, InvalidParameterError, ModuleError
from initsk.utils.random import isolated_numpy_random

SETTINGS = {"max_epochs": 1, "random_state": 0, "verbose": 0, "lr": 0.1}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4)).astype(np.float32)
Y = np.arange(30) % 3


def net(kind=NeuralNetClassifier, **changes):
    return kind(nn.Linear, module__in_features=4, module__out_features=3, **SETTINGS | changes)


def fitted(y=Y, X=X, **changes):
    return net(criterion=nn.CrossEntropyLoss, **changes).fit(X, y)


def test_names_of_losses_and_optimizers_stand_for_torchs_classes():
    by_name = net(criterion="nn.crossEntropyLoss", optimizer="ADAM").fit(X, Y)
    by_class = net(criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam).fit(X, Y)
    np.testing.assert_array_equal(by_name.predict_proba(X), by_class.predict_proba(X))
    copied = clone(by_name)
    assert (copied.criterion, copied.optimizer) == ("nn.crossEntropyLoss", "ADAM")
    plain = skorch.NeuralNetRegressor(nn.Linear, module__in_features=4, module__out_features=1, optimizer="sgd")
    assert isinstance(with_initializer(plain).initialize().optimizer_, torch.optim.SGD)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "adamm"}, "did you mean 'adam'"),
        ({"criterion": "CrossEntropy"}, r"did you mean 'CrossEntropyLoss'.*torch\.nn\.CrossEntropyLoss"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_nearest_one(changes, message):
    with pytest.raises(InvalidParameterError, match=message):
        net(**changes).initialize()


@pytest.mark.parametrize(
    "convert",
    [np.int32, np.float64, list, torch.tensor, pd.Series, pd.Categorical, lambda y: y.astype(object)],
)
def test_whole_numbers_of_any_type_are_labels(convert):
    y = convert(Y)
    np.testing.assert_array_equal(fitted(y).predict(X), fitted().predict(X))


@pytest.mark.parametrize("convert", [lambda y: y[:, None], lambda y: y[:, None] / 1.0, pd.DataFrame])
def test_a_column_of_labels_is_flattened_with_scikit_learns_warning(convert):
    with pytest.warns(DataConversionWarning, match="column-vector y") as caught:
        column = fitted(convert(Y))
    assert len([warning for warning in caught if warning.category is DataConversionWarning]) == 1
    np.testing.assert_array_equal(column.predict_proba(X), fitted().predict_proba(X))
    assert column.predict(X).shape == (30,)


def test_sequences_of_one_element_have_a_label_for_the_element():
    class Sequences(nn.Linear):
        def forward(self, x):
            return super().forward(x).unsqueeze(2)

    settings = {"module__in_features": 4, "module__out_features": 3, "criterion": nn.CrossEntropyLoss, **SETTINGS}
    with pytest.warns(DataConversionWarning):
        sequences = NeuralNetClassifier(Sequences, train_split=None, **settings).fit(X, Y[:, None])
    plain = NeuralNetClassifier(nn.Linear, train_split=None, **settings).fit(X, Y)
    torch.testing.assert_close(sequences.module_.weight, plain.module_.weight)


@pytest.mark.parametrize("convert", [lambda y: y[:, None], pd.Series, pd.DataFrame, lambda y: y[:, None].astype(float)])
def test_a_column_of_numbers_is_learned_as_a_vector_is(convert):
    y = (2 * X[:, 0]).astype(np.float32)

    def regressor(y):
        return NeuralNetRegressor(nn.Linear, module__in_features=4, module__out_features=1, **SETTINGS).fit(X, y)

    np.testing.assert_allclose(regressor(convert(y)).predict(X), regressor(y).predict(X), rtol=1e-6)


def test_a_column_of_labels_is_an_error_for_a_plain_module_as_in_torch():
    with torch.random.fork_rng():
        module = nn.Linear(4, 3)
    for criterion in (None, "CrossEntropyLoss"):
        with pytest.raises(ModuleError, match=r"y of shape \(\d+, 1\) does not fit .*; use y.ravel\(\)"):
            diagnose(module, X, Y[:, None], criterion=criterion)


@pytest.mark.parametrize("kind", [skorch.NeuralNetClassifier, NeuralNetClassifier])
@pytest.mark.parametrize("dtype", ["int32", "uint16", "float32"])
def test_labels_of_any_type_are_those_of_64_bits_in_every_function(kind, dtype):
    settings = {"max_epochs": 1, "verbose": 0, "criterion": nn.CrossEntropyLoss}
    model = kind(nn.Linear, module__in_features=4, module__out_features=3, **settings)

    def results(y):
        runs = compare_initializers(model, X, y, initializers=["he_normal"], n_repeats=1).runs
        gradients = inspect_activations(initialized, X, y, gradients=True).to_frame()
        return runs["score"].item(), gradients, diagnose(initialized, X, y, random_state=0).baseline_loss

    with torch.random.fork_rng(), isolated_numpy_random(0):
        initialized = clone(model).initialize()
    score, gradients, baseline = results(Y.astype("int64"))
    other_score, other_gradients, other_baseline = results(Y.astype(dtype))
    assert other_score == score
    pd.testing.assert_frame_equal(other_gradients, gradients)
    assert other_baseline == pytest.approx(baseline)


def test_a_label_between_whole_numbers_is_named_before_torch_fails():
    with torch.random.fork_rng():
        module = nn.Linear(4, 3)
    for call in (partial(inspect_activations, gradients=True), diagnose):
        with pytest.raises(
            ModuleError, match=r"y has the label [0-2]\.5 \(allowed: whole numbers 0, 1, ..., or a share"
        ):
            call(module, X, (Y + 0.5).astype("float32"), criterion="CrossEntropyLoss")


def test_rare_classes_as_floats_are_no_unscaled_targets():
    samples = np.random.default_rng(0).normal(size=(400, 4)).astype("float32")
    labels = (np.arange(400) < 3).astype("float32")
    with torch.random.fork_rng():
        module, single = nn.Linear(4, 2), nn.Linear(4, 1)
    for criterion in ("CrossEntropyLoss", nn.CrossEntropyLoss()):
        found = diagnose(module, samples, labels, criterion=criterion, random_state=0).findings()
        assert "unscaled targets" not in set(found["kind"])
    assert "unscaled targets" in set(diagnose(single, samples, labels[:, None], random_state=0).findings()["kind"])


def test_truth_values_are_labels():
    np.testing.assert_array_equal(fitted(Y > 0).predict_proba(X), fitted((Y > 0).astype(int)).predict_proba(X))


@pytest.mark.parametrize(
    ("y", "given"),
    [
        (Y + 1, "labels 1 to 3, but the module gives 3 scores"),
        (Y - 1, "the label -1"),
        (Y + 0.5, "the label 0.5"),
        (np.array(["a", "b", "c"])[Y], "the label 'a'"),
    ],
)
def test_other_labels_are_an_error_that_names_the_encoder(y, given):
    with pytest.raises(InitskError, match=f"y has {given}.*LabelEncoder.*MLPClassifier"):
        fitted(y)


def test_ignored_labels_and_shares_of_classes_stay_as_they_are():
    ignored = np.where(np.arange(30) < 3, -100, Y)
    assert np.isfinite(fitted(ignored, train_split=None).history[-1, "train_loss"])
    shares = np.eye(3, dtype=np.float32)[Y]
    np.testing.assert_allclose(
        fitted(shares, train_split=None).predict_proba(X), fitted(train_split=None).predict_proba(X), rtol=1e-5
    )


def test_a_frame_of_numbers_is_a_matrix():
    frame = pd.DataFrame(X, columns=list("abcd"))
    np.testing.assert_array_equal(fitted(X=frame).predict_proba(frame), fitted().predict_proba(X))


class ByName(nn.Module):
    """A module that takes the columns of a frame by name."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, a, b):
        return self.layer(torch.cat([a, b], 1))


def test_columns_that_the_module_names_are_its_arguments():
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"])
    made = NeuralNetClassifier(ByName, criterion=nn.CrossEntropyLoss, **SETTINGS).fit(frame, Y)
    assert made.predict_proba(frame[["b", "a"]]).shape == (30, 3)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (pd.DataFrame(X).assign(c="u"), InvalidParameterError, r"not numeric: c \(row 1: 'u'\)"),
        (X.astype(object), InvalidParameterError, r"X\.astype"),
        (X[:, :3], ModuleError, r"Linear.*shape \(24, 3\)"),
    ],
)
def test_unfit_inputs_are_an_error_that_says_what_to_do(X, error, message):
    with pytest.raises(error, match=message):
        fitted(X=X)


@pytest.mark.parametrize("split", [None, skorch.dataset.ValidSplit(3)])
def test_missing_values_are_named_in_the_warning(split):
    damaged = X.copy()
    damaged[2, 1] = np.nan
    with pytest.warns(DivergenceWarning, match=r"X has NaN: column 2 \(row 3\).*SimpleImputer"):
        fitted(X=damaged, train_split=split)


@pytest.mark.parametrize("kind", [NeuralNetClassifier, NeuralNetRegressor])
def test_unknown_parameters_are_refused_by_the_constructor(kind):
    with pytest.raises(TypeError, match=r"'max_iter' \(here: max_epochs\), 'max_epoch' \(did you mean 'max_epochs'"):
        net(kind, max_iter=3, max_epoch=3)
    with pytest.raises(TypeError, match="here: max_epochs"):
        net(kind).set_params(epochs=3)


def test_a_column_of_labels_trains_a_binary_net_as_a_vector_does():
    def binary(y):
        model = with_initializer(
            skorch.NeuralNetBinaryClassifier(nn.Linear, module__in_features=4, module__out_features=1, verbose=0),
            random_state=0,
        )
        return model.set_params(max_epochs=1).fit(X, y).predict_proba(X)

    labels = (Y > 0).astype("float32")
    with pytest.warns(DataConversionWarning):
        column = binary(labels[:, None])
    np.testing.assert_array_equal(column, binary(labels))


@pytest.mark.parametrize("missing", [None, pd.NA])
@pytest.mark.parametrize("convert", [np.asarray, list, pd.Series])
@pytest.mark.parametrize("make", [partial(net, criterion=nn.CrossEntropyLoss), partial(net, NeuralNetRegressor)])
def test_a_missing_target_among_objects_is_named_with_its_row(make, convert, missing):
    y = Y.astype(object)
    y[3] = missing
    with pytest.raises(InvalidParameterError, match="y has 1 missing value; the first is in row 4; leave out"):
        make().fit(X, convert(y))
