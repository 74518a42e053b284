"""Data sets of torch as arrays; tests/zoo has those of torchvision and Hugging Face."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from initsk import MLPClassifier, compare_initializers
from initsk.datasets import to_arrays
from initsk.exceptions import InvalidParameterError

rng = np.random.default_rng(0)
PIXELS = rng.integers(0, 256, (12, 3, 4), dtype=np.uint8)
LABELS = np.arange(12) % 2


class Pairs(Dataset):
    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, number):
        return self.items[number]


class Column(Pairs):
    """A stand-in for a data set of Hugging Face: it has columns with types, and its rows are mappings."""

    class ClassLabel: ...

    def __init__(self, **columns):
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        super().__init__(*rows)
        self.column_names = list(columns)
        self.features = {name: self.ClassLabel() if name == "digit" else None for name in columns}

    def with_format(self): ...


class Stream(IterableDataset):
    def __iter__(self):
        return iter([])


def test_values_are_those_of_the_data_set():
    X, y = to_arrays(TensorDataset(torch.from_numpy(PIXELS).float(), torch.from_numpy(LABELS)))
    np.testing.assert_array_equal(X, PIXELS)
    np.testing.assert_array_equal(y, LABELS)
    # Images of bytes are scaled, and rows of integers are not.
    X, _ = to_arrays(Pairs(*zip(PIXELS, LABELS, strict=True)))
    np.testing.assert_allclose(X, PIXELS / 255, rtol=1e-6)
    assert X.dtype == np.float32
    X, y = to_arrays(Subset(Pairs(*zip(PIXELS[:, 0], ["a", "long"] * 6, strict=True)), [1, 2]))
    np.testing.assert_array_equal(X, PIXELS[1:3, 0])
    assert y.tolist() == ["long", "a"]


def test_columns():
    X, y = to_arrays(Column(a=[1, 2], digit=[1, 0], label=[0.5, 1.5]))
    assert X.tolist() == [[1, 0.5], [2, 1.5]]
    assert y.tolist() == [1, 0]
    assert to_arrays(Column(a=[1, 2], digit=[1, 0]), "a")[1].tolist() == [1, 2]
    assert to_arrays(Column(image=list(PIXELS), label=LABELS.tolist()))[0].shape == (12, 3, 4)


FAULTY = {
    "empty": (Pairs(), {}, "is empty"),
    "no pairs": (Pairs(1.0), {}, "row 1 is no pair of a sample and a target"),
    "shapes": (Pairs(([1.0], 0), ([1.0, 2.0], 0)), {}, r"row 2 has .* \(2,\) and \(\), and the first one has \(1,\)"),
    "text": (Pairs(([1.0], 0), ("a", 0)), {}, r"row 2 is of the type str"),
    "loader": (DataLoader(Pairs(([1.0], 0))), {}, r"give its data set, loader\.dataset"),
    "stream": (Stream(), {}, "has no length"),
    "no data set": ([1.0], {}, "list is not a data set"),
    "text column": (Column(a=["x"], label=[0]), {}, "row 1 of the column 'a' is of the type str"),
    "no targets": (Column(a=[1], b=[0]), {}, r"name the column of targets \(allowed: 'a', 'b'\)"),
    "unknown": (Column(size=[1], b=[0]), {"target": "sise"}, "unknown column 'sise'; did you mean 'size'"),
    "only targets": (Column(label=[1]), {}, "no column besides"),
    "two arrays": (Column(a=[[1]], b=[[1]], label=[1]), {}, "select one with select_columns"),
    "parts": ({"train": Column(a=[1]), "test": Column(a=[1])}, {}, "has the parts 'train', 'test'; give one"),
    "memory": (Pairs((PIXELS, 0)), {"max_bytes": 64}, r"needs 0\.0 GiB of memory as arrays .*Subset"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTY)
def test_what_cannot_become_arrays_is_refused(case):
    dataset, options, words = FAULTY[case]
    with pytest.raises(InvalidParameterError, match=words):
        to_arrays(dataset, **options)


def test_a_comparison_of_a_data_set_is_that_of_its_arrays():
    estimator, options = (
        MLPClassifier((2,), max_epochs=1),
        {"initializers": ["he_normal"], "n_repeats": 1, "activations": False},
    )
    dataset = Pairs(*zip(PIXELS, LABELS, strict=True))
    rows = (PIXELS / np.float32(255)).astype(np.float32).reshape(12, -1)
    expected = compare_initializers(estimator, rows, LABELS, X_val=rows, y_val=LABELS, **options)
    found = compare_initializers(estimator, dataset, X_val=dataset, **options)
    named = Column(image=list(PIXELS), digit=LABELS.tolist())
    by_name = compare_initializers(estimator, named, "digit", X_val=rows, y_val=LABELS, **options)
    for result in (found, by_name):
        assert result.history["train_loss"].tolist() == expected.history["train_loss"].tolist()
        assert result.runs["score"].tolist() == expected.runs["score"].tolist()
    assert "\n    X,\n    X_val=X_val,\n" in found.settings["call"]
    assert "\n    X,\n    'digit',\n    X_val=X_val,\n    y_val=y_val,\n" in by_name.settings["call"]
    with pytest.raises(InvalidParameterError, match="y is missing; only X that is a data set"):
        compare_initializers(estimator, rows, **options)


def test_samples_may_be_dicts():
    dicts = Pairs(*({"image": image, "kind": label} for image, label in zip(PIXELS, LABELS, strict=True)))
    X, y = to_arrays(dicts, "kind")
    assert np.array_equal(X, PIXELS / np.float32(255))
    assert y.tolist() == LABELS.tolist()
    with pytest.raises(InvalidParameterError, match=r"name the column of targets \(.*\), such as y='kind'"):
        to_arrays(dicts)
    with pytest.raises(InvalidParameterError, match="leave out y, or give the name of its column of targets"):
        compare_initializers(MLPClassifier((4,)), dicts, LABELS)
