"""Batches of tensors: their order, their memory and their device."""

from itertools import chain

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from torch.utils.data import Subset

from initsk import MLPClassifier
from initsk.estimators.fast import _batches
from initsk.estimators.fast._batches import TensorBatches


def dataset(n=10, weight=None):
    X, y = np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.arange(n)
    return Dataset(X, y if weight is None else (y, weight))


def rows(batches):
    return [y.tolist() for _, y in batches]


def test_batches_equal_those_of_a_data_loader():
    for batch_size in (1, 3, 5, 10, 11):
        ours = TensorBatches(dataset(), batch_size=batch_size)
        theirs = torch.utils.data.DataLoader(dataset(), batch_size=batch_size, generator=torch.Generator())
        assert len(ours) == len(theirs)
        for (X, y), (X_loaded, y_loaded) in zip(ours, theirs, strict=True):
            assert torch.equal(X, X_loaded)
            assert torch.equal(y, y_loaded)


def test_the_generator_determines_the_order_and_each_row_occurs_once():
    def order(seed):
        batches = TensorBatches(dataset(), 3, shuffle=True, generator=torch.Generator().manual_seed(seed))
        return [list(chain(*rows(batches))) for _ in range(2)]

    first, second = order(0)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert order(0) == [first, second]
    assert order(1) != [first, second]
    for X, y in TensorBatches(dataset(), 3, shuffle=True, generator=torch.Generator().manual_seed(0)):
        assert torch.equal(X[:, 0], 2.0 * y)


def test_a_subset_has_only_its_rows():
    part = Subset(dataset(), [7, 2, 5, 9])
    assert rows(TensorBatches(part, 3)) == [[7, 2, 5], [9]]
    shuffled = TensorBatches(part, 3, shuffle=True, generator=torch.Generator().manual_seed(0))
    assert sorted(chain(*rows(shuffled))) == [2, 5, 7, 9]


def test_weights_accompany_targets_and_samples_of_weight_zero_are_skipped():
    weight = np.array([1.0, 0, 2, 0, 3, 1, 1, 0, 1, 1])
    batches = list(TensorBatches(dataset(weight=weight), 4))
    assert [(y.tolist(), w.tolist()) for _, (y, w) in batches] == [
        ([0, 2, 4, 5], [1, 2, 3, 1]),
        ([6, 8, 9], [1, 1, 1]),
    ]
    part = TensorBatches(Subset(dataset(weight=weight), [0, 1, 2]), 4)
    assert [y.tolist() for _, (y, _) in part] == [[0, 2]]


@pytest.mark.parametrize(
    ("n", "batch_size", "min_size", "sizes"),
    [(7, 3, 2, [3, 4]), (7, 3, 1, [3, 3, 1]), (8, 3, 2, [3, 3, 2]), (6, 3, 2, [3, 3]), (1, 3, 2, [1]), (0, 3, 1, [])],
)
def test_a_small_last_batch_is_joined_to_the_batch_before(n, batch_size, min_size, sizes):
    batches = TensorBatches(dataset(n), batch_size, min_size=min_size)
    assert [len(X) for X, _ in batches] == sizes
    assert len(batches) == len(sizes)


def test_data_that_fit_on_the_device_move_once():
    batches = TensorBatches(dataset(), 3, device="meta")
    assert batches.X.device.type == "meta"
    assert {X.device.type for X, _ in batches} == {"meta"}


def test_data_that_do_not_fit_move_batch_by_batch(monkeypatch):
    monkeypatch.setattr(_batches, "fits", lambda tensors, device: False)
    batches = TensorBatches(dataset(), 3, device="meta")
    assert batches.X.device.type == "cpu"
    assert {X.device.type for X, _ in batches} == {"meta"}
    assert [len(X) for X, _ in batches] == [3, 3, 3, 1]


@pytest.mark.parametrize(("free", "fits"), [(159, False), (160, True)])
def test_data_may_take_half_of_the_free_memory(monkeypatch, free, fits):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**9))
    assert _batches.fits([torch.zeros(10), torch.zeros(5, dtype=torch.int64)], torch.device("cuda")) == fits
    assert _batches.fits([torch.zeros(10**6)], torch.device("cpu"))


class Seen(Callback):
    """Keep the data that the net gets, and the tensor of its batches."""

    def on_train_begin(self, net, X, **kwargs):
        self.X_ = X

    def on_epoch_begin(self, net, dataset_train, **kwargs):
        self.tensor_ = net.get_iterator(dataset_train, training=True).X


@pytest.mark.parametrize(
    ("dtype", "arguments"),
    [(np.float32, {}), (np.float32, {"early_stopping": True}), (np.uint8, {"input_scale": 1 / 255})],
    ids=str,
)
def test_the_callers_data_are_not_copied(dtype, arguments):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 200, size=(100, 5)).astype(dtype), rng.integers(0, 2, size=100)
    weight = np.ones(100)
    weight[::2] = 0
    for readonly in (False, True):
        X.flags.writeable = not readonly
        seen = Seen()
        MLPClassifier((4,), max_epochs=1, random_state=0, callbacks=[seen], **arguments).fit(X, y, weight)
        assert np.shares_memory(seen.X_, X)
        assert seen.tensor_.data_ptr() == X.ctypes.data


def test_data_of_other_types_are_copied_once():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 5)), rng.integers(0, 2, size=100)
    seen = Seen()
    MLPClassifier((4,), max_epochs=1, random_state=0, callbacks=[seen], early_stopping=True).fit(X, y)
    assert seen.X_.dtype == np.float32
    assert seen.tensor_.data_ptr() == seen.X_.ctypes.data
