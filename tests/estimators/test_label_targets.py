"""Several labels per sample: targets of zeros and ones, as scikit-learn's MLPClassifier takes them."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.metrics import average_precision_score, f1_score, get_scorer, log_loss
from sklearn.neural_network import MLPClassifier as Reference
from sklearn.utils import get_tags

from initsk import MLPClassifier, compare_initializers, diagnose, inspect_activations
from initsk.exceptions import InvalidParameterError
from tests.estimators.support import small

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6))
Y = (X[:, :5] + 0.3 * RNG.normal(size=(200, 5)) > 0).astype(int)


@pytest.fixture(scope="module")
def fitted():
    return small(max_epochs=20, lr=0.02).fit(X, Y)


def test_the_fitted_attributes_are_those_of_scikit_learn(fitted):
    reference = Reference((4,), max_iter=1, random_state=0)
    with pytest.warns(UserWarning, match="converged"):
        reference.fit(X, Y)
    assert fitted.classes_.tolist() == reference.classes_.tolist()
    assert fitted.n_outputs_ == reference.n_outputs_ == 5
    assert get_tags(fitted).classifier_tags.multi_label
    assert fitted.predict(X).dtype == reference.predict(X).dtype


def test_predictions_and_score(fitted):
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (200, 5)
    np.testing.assert_array_equal(fitted.predict(X), probabilities > 0.5)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(X)), probabilities, rtol=1e-4)
    assert fitted.score(X, Y) == (fitted.predict(X) == Y).all(axis=1).mean() > 0.5
    np.testing.assert_allclose(fitted.class_prior_, Y.mean(axis=0))
    np.testing.assert_array_equal(fitted.net_.predict(X.astype(np.float32)), fitted.predict(X))


def test_the_loss_is_the_mean_binary_cross_entropy():
    clf = small(initializer="zeros", lr=1e-30, max_epochs=1).fit(X, Y)
    assert isinstance(clf.net_.criterion_, torch.nn.BCEWithLogitsLoss)
    # Zero weights give the probability 1/2 to each label.
    assert clf.history_["train_loss"][0] == pytest.approx(np.log(2))
    valid = small(max_epochs=1).fit(X, Y, X_val=X, y_val=Y)
    expected = np.mean([log_loss(Y[:, i], valid.predict_proba(X)[:, i]) for i in range(5)])
    assert valid.history_["valid_loss"][0] == pytest.approx(expected, rel=1e-5)
    assert valid.history_["valid_acc"][0] == pytest.approx(valid.score(X, Y))


def test_any_form_of_zeros_and_ones_gives_the_same_model(fitted):
    for targets in (Y.astype(bool), Y.astype(float), Y.tolist(), pd.DataFrame(Y), csr_matrix(Y)):
        again = small(max_epochs=20, lr=0.02).fit(X, targets)
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_partial_fit_equals_an_epoch_of_fit():
    by_parts, whole = small(), small(max_epochs=1).fit(X, Y)
    by_parts.partial_fit(X, Y, classes=np.arange(5))
    np.testing.assert_array_equal(by_parts.predict_proba(X), whole.predict_proba(X))
    before = by_parts.predict_proba(X)
    with pytest.raises(InvalidParameterError, match=r"3 columns .*5"):
        by_parts.partial_fit(X, Y[:, :3])
    with pytest.raises(InvalidParameterError, match="y has 1 column"):
        by_parts.partial_fit(X, Y[:, 0])
    np.testing.assert_array_equal(by_parts.predict_proba(X), before)


def test_early_stopping_and_outputs_that_are_not_finite():
    clf = small(early_stopping=True).fit(X, Y)
    assert {"valid_loss", "valid_acc"} <= set(clf.history_)
    with torch.no_grad():
        clf.net_.module_.output.bias.fill_(torch.nan)
    np.testing.assert_allclose(clf.predict_proba(X[:2]), [clf.class_prior_] * 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([["a"], ["a", "b"]] * 100, "MultiLabelBinarizer"),
        ([{"a"}, {"a", "b"}] * 100, "MultiLabelBinarizer"),
        (Y[:, :2] + 1, "other than 0 and 1"),
        (RNG.integers(0, 3, (200, 2)), "MultiOutputClassifier"),
    ],
    ids=["lists", "sets", "ones and twos", "three classes"],
)
def test_other_forms_of_several_labels_are_errors(targets, words):
    with pytest.raises(InvalidParameterError, match=words):
        small().fit(X, targets)


def test_class_weights_are_refused():
    with pytest.raises(InvalidParameterError, match=r"class_weight='balanced' .*sample_weight"):
        small(class_weight="balanced").fit(X, Y)


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [("f1_macro", lambda clf: f1_score(Y, clf.predict(X), average="macro")),
     ("average_precision", lambda clf: average_precision_score(Y, clf.predict_proba(X)))],
)  # fmt: skip
def test_scorers(fitted, scorer, expected):
    assert get_scorer(scorer)(fitted, X, Y) == expected(fitted)


def test_diagnosis_and_inspection():
    clf = MLPClassifier((16,), lr=0.02, random_state=0)
    diagnosis = diagnose(clf, X, Y, max_samples=100)
    assert diagnosis.score > 0.9
    gradients = inspect_activations(clf, X, Y, gradients=True).to_frame("gradients")
    assert gradients["rms"].gt(0).all()


def test_a_comparison_and_its_report():
    clf = MLPClassifier((8,), max_epochs=3, lr=0.02)
    scorers = ["f1_macro", "average_precision"]
    result = compare_initializers(
        clf, X, pd.DataFrame(Y), initializers=["he_normal", "zeros"], n_repeats=2, scoring=scorers
    )
    assert result.runs["status"].eq("ok").all()
    assert result.summary()["initializer"].tolist() == ["he_normal", "zeros"]
    assert result.history["val_loss"].notna().all()
    assert result.gradients["rms"].notna().any()
    assert "he_normal" in result.to_markdown()
    folds = compare_initializers(clf, X, Y, initializers=["he_normal"], n_repeats=1, cv=2, X_val=None)
    assert folds.runs["status"].tolist() == ["ok", "ok"]
    with pytest.raises(InvalidParameterError, match="y_val has the shape"):
        compare_initializers(clf, X, Y, X_val=X, y_val=Y[:, :2])
