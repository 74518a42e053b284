"""Needs of public reports about labels, batches and types of data; README.md has the reports."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.multioutput import MultiOutputClassifier
from torch import nn

from initsk import MLPClassifier, NeuralNetClassifier, audit
from tests.helpers import build

pytestmark = pytest.mark.usefixtures("one_thread")
X, SPECIES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])


def test_a_batch_without_all_classes_is_a_batch():
    """Also a class of which no sample has come yet has its column."""
    clf = MLPClassifier((6,), random_state=0)
    names = NAMES[SPECIES]
    for rows in (slice(0, 50), slice(50, 100), slice(149, 150)):
        clf.partial_fit(X[rows], names[rows], classes=[*NAMES, "unseen"])
    assert clf.classes_.tolist() == sorted([*NAMES, "unseen"])
    np.testing.assert_allclose(clf.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    assert clf.predict_proba(X).shape == (150, 4)


def test_early_stopping_takes_labels_of_text_as_it_takes_numbers():
    clf = MLPClassifier((6,), early_stopping=True, max_epochs=4, lr=0.05, random_state=0)
    numbers = clf.fit(X, SPECIES).predict(X)
    assert len(set(numbers)) > 1
    np.testing.assert_array_equal(clf.fit(X, NAMES[SPECIES]).predict(X), NAMES[numbers])


def test_several_labels_for_a_sample_are_learned_in_parts():
    """One network for each label: `partial_fit` of all labels is that of each label."""
    labels = np.stack([SPECIES == 0, X[:, 1] > 3], axis=1).astype(int)
    both = MultiOutputClassifier(MLPClassifier((6,), random_state=0))
    alone = [MLPClassifier((6,), random_state=0) for _ in range(2)]
    for part in (slice(0, None, 2), slice(1, None, 2)):
        both.partial_fit(X[part], labels[part], classes=[[0, 1], [0, 1]])
        for clf, label in zip(alone, labels.T, strict=True):
            clf.partial_fit(X[part], label[part], classes=[0, 1])
    np.testing.assert_array_equal(both.predict(X), np.stack([clf.predict(X) for clf in alone], axis=1))


def test_fit_and_partial_fit_take_several_labels_alike():
    labels = np.stack([SPECIES == 0, X[:, 1] > 3], axis=1).astype(int)
    whole = MLPClassifier((6,), max_epochs=1, random_state=0).fit(X, labels)
    parts = MLPClassifier((6,), random_state=0).partial_fit(X, labels, classes=[0, 1])
    assert whole.predict(X).shape == parts.predict(X).shape == labels.shape
    np.testing.assert_array_equal(parts.predict_proba(X), whole.predict_proba(X))


def test_numbers_of_double_precision_train_a_network_of_single_precision():
    module = build(lambda: nn.Linear(4, 3))
    net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, max_epochs=1, verbose=0, random_state=0)
    double = net.fit(X, SPECIES).predict_proba(X)
    assert X.dtype == np.float64
    assert net.module_.weight.dtype == torch.float32
    np.testing.assert_array_equal(net.fit(X.astype(np.float32), SPECIES).predict_proba(X), double)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16])
def test_an_estimator_takes_numbers_of_any_type(dtype):
    clf = MLPClassifier((4,), max_epochs=1, random_state=0)
    whole = np.rint(X)
    expected = clf.fit(whole, SPECIES).predict_proba(whole)
    np.testing.assert_allclose(clf.fit(whole.astype(dtype), SPECIES).predict_proba(whole), expected, rtol=1e-5)


class Reader(nn.Module):
    """Encoder of words that ignores its padding, or not."""

    def __init__(self, masks):
        super().__init__()
        self.masks = masks
        self.table = nn.Embedding(9, 8, padding_idx=0)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, words):
        mask = words == 0 if self.masks else None
        return self.head(self.encoder(self.table(words), src_key_padding_mask=mask)[:, 0])


@pytest.mark.parametrize("masks", [True, False])
def test_an_audit_tells_whether_padding_changes_the_output(masks):
    words = torch.randint(1, 9, (12, 6), generator=torch.Generator().manual_seed(0))
    words[:, 4:] = 0
    findings = audit(build(lambda: Reader(masks)), words).findings()
    assert ("padding leak" in set(findings["kind"])) is not masks
