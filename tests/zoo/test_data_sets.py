"""Data sets of torchvision and Hugging Face in a comparison, and as arrays."""

import gzip
import importlib

import numpy as np
import pytest
import torch

from initsk import MLPClassifier, audit, compare_initializers
from initsk.datasets import load_idx, to_arrays
from initsk.exceptions import InvalidParameterError
from tests.datasets.test_loaders import idx_bytes
from tests.zoo.operators import define_missing_operators
from tests.zoo.table import isolated

pytestmark = pytest.mark.filterwarnings("ignore")

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 28, 28), dtype=np.uint8)
LABELS = np.arange(24) % 3


def library(name):
    with isolated():
        define_missing_operators()
        return pytest.importorskip(name)


@pytest.fixture(scope="module")
def torchvision():
    return library("torchvision")


@pytest.fixture(scope="module")
def hugging_face():
    return library("datasets")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return a folder as torchvision writes it: each file plain, and gzipped beside it."""
    raw = tmp_path_factory.mktemp("root") / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for what, array in (("images-idx3", PIXELS), ("labels-idx1", LABELS)):
            content = idx_bytes(array)
            (raw / f"{part}-{what}-ubyte").write_bytes(content)
            (raw / f"{part}-{what}-ubyte.gz").write_bytes(gzip.compress(content))
    return raw.parent.parent


def compare(*data):
    options = {"initializers": ["he_normal"], "n_repeats": 1, "activations": False}
    return compare_initializers(MLPClassifier((2,), max_epochs=1), *data, **options).history["train_loss"].tolist()


@pytest.mark.parametrize("transformed", [True, False])
def test_mnist_of_torchvision(torchvision, root, transformed):
    transform = importlib.import_module("torchvision.transforms").ToTensor() if transformed else None
    dataset = torchvision.datasets.MNIST(str(root), train=True, transform=transform)
    X, y = to_arrays(dataset)
    assert X.shape == (24, 1, 28, 28)
    np.testing.assert_allclose(X[:, 0], PIXELS / 255, rtol=1e-6)
    np.testing.assert_array_equal(y, LABELS)
    rows, labels = load_idx(root, split="train", return_X_y=True)
    np.testing.assert_array_equal(rows.reshape(24, 28, 28), PIXELS)
    assert compare(dataset) == compare((rows / np.float32(255)).astype(np.float32), labels)


def test_images_of_hugging_face(hugging_face):
    image = pytest.importorskip("PIL.Image")
    features = hugging_face.Features(
        image=hugging_face.Image(), digit=hugging_face.ClassLabel(names=["zero", "one", "two"])
    )
    pictures = [image.fromarray(pixels) for pixels in PIXELS]
    dataset = hugging_face.Dataset.from_dict({"image": pictures, "digit": LABELS.tolist()}, features=features)
    X, y = to_arrays(dataset)
    assert X.shape == (24, 1, 28, 28)
    np.testing.assert_allclose(X[:, 0], PIXELS / 255, rtol=1e-6)
    np.testing.assert_array_equal(y, LABELS)
    assert compare(dataset) == compare(X.reshape(24, -1), y)
    assert to_arrays(dataset.with_format("torch"))[0].shape == (24, 1, 28, 28)
    parts = hugging_face.DatasetDict(train=dataset)
    with pytest.raises(InvalidParameterError, match="has the parts 'train'; give one of them"):
        to_arrays(parts)
    for given in (dataset, parts, dataset.to_iterable_dataset()):
        with pytest.raises(InvalidParameterError, match=r"initsk\.datasets\.to_arrays makes arrays"):
            audit(torch.nn.Flatten(), given, random_state=0)


def test_columns_of_hugging_face(hugging_face):
    rows = {"a": [1.5, 2.5, 3.5], "b": [1, 2, 3], "species": ["x", "y", "x"]}
    dataset = hugging_face.Dataset.from_dict(rows)
    X, y = to_arrays(dataset, "species")
    assert X.tolist() == [[1.5, 1], [2.5, 2], [3.5, 3]]
    assert y.tolist() == ["x", "y", "x"]
    with pytest.raises(InvalidParameterError, match=r"name the column of targets .allowed: 'a', 'b', 'species'"):
        to_arrays(dataset)
    with pytest.raises(InvalidParameterError, match="has no length"):
        to_arrays(dataset.to_iterable_dataset())
