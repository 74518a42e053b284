"""Loading MNIST, IDX files and tables; damaged files are refused."""

import gzip
import os
import struct
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from initsk.datasets import load_idx, load_mnist, load_table, read_idx
from initsk.exceptions import DataFormatError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx_bytes(array, code=0x08):
    return (
        bytes([0, 0, code, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(TYPES[code]).tobytes()
    )


def write_folder(folder, n_train=6, n_test=4, pack=gzip.compress, labels_train=None):
    for part, n in (("train", n_train), ("t10k", n_test)):
        images = np.arange(n * 4).reshape(n, 2, 2) % 256
        labels = np.arange(labels_train if labels_train is not None and part == "train" else n) % 2
        (folder / f"{part}-images-idx3-ubyte").write_bytes(pack(idx_bytes(images)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(pack(idx_bytes(labels)))
    return folder


def test_mnist_is_mnist():
    X, y = load_mnist(split="all", return_X_y=True)
    assert X.shape == (70000, 784)
    assert X.dtype == np.uint8
    # Class counts of the published data, training and test together.
    assert np.bincount(y).tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]


def test_mnist_as_bunch_and_frame():
    bunch = load_mnist(split="test", as_frame=True)
    assert bunch.data.shape == (10000, 784)
    assert bunch.frame.columns[-1] == "target"
    assert bunch.feature_names[:2] == ["pixel_0", "pixel_1"]
    assert bunch.target_names == [str(i) for i in range(10)]
    assert "CC BY-SA 3.0" in bunch.DESCR
    assert isinstance(bunch.target, pd.Series)


def test_damaged_mnist_is_refused(tmp_path, monkeypatch):
    from initsk.datasets import _loaders

    for path in _loaders._DATA.glob("*.gz"):
        content = bytearray(gzip.decompress(path.read_bytes()))
        content[-1] ^= path.name.startswith("t10k-labels")
        (tmp_path / path.name).write_bytes(gzip.compress(bytes(content), compresslevel=1))
    monkeypatch.setattr(_loaders, "_DATA", tmp_path)
    with pytest.raises(DataFormatError, match=r"t10k-labels-idx1-ubyte\.gz: damaged; the MD5"):
        load_mnist(split="test")
    assert load_mnist().data.shape == (60000, 784)


def test_unknown_split():
    with pytest.raises(ValueError, match="did you mean 'train'"):
        load_mnist(split="trian")


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_type_packed_or_not(tmp_path, code, pack):
    array = np.array([[0, 1, 2], [3, 4, 100]])
    (tmp_path / "a").write_bytes(pack(idx_bytes(array, code)))
    found = read_idx(tmp_path / "a")
    assert found.tolist() == array.tolist()
    assert found.dtype.isnative
    assert found.dtype == np.dtype(TYPES[code]).newbyteorder("=")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_folder(tmp_path, pack):
    write_folder(tmp_path, pack=pack)
    X, y = load_idx(tmp_path, split="train", return_X_y=True)
    assert X.shape == (6, 4)
    assert y.tolist() == [0, 1] * 3
    assert load_idx(tmp_path).data.shape == (10, 4)


GOOD = idx_bytes(np.zeros((3, 2, 2)))
HUGE = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 2**31, 2**31)
MALFORMED = {
    "empty": (b"", "not an IDX file"),
    "bad magic": (b"\1" + GOOD[1:], "not an IDX file"),
    "bad type": (b"\0\0\x0a\3" + GOOD[4:], "not an IDX file"),
    "no dimensions": (b"\0\0\x08\0", "not an IDX file"),
    "short header": (GOOD[:9], "truncated inside its header"),
    "truncated": (GOOD[:-1], "truncated; its header states 12 bytes, the file has 11"),
    "trailing": (GOOD + b"\0", "trailing bytes"),
    "header states too much": (HUGE, "more than the file holds"),
    "too many dimensions": (bytes([0, 0, 8, 65]) + struct.pack(">65I", *[1] * 65) + b"\0", "not possible"),
    "empty but impossible": (bytes([0, 0, 8, 4]) + struct.pack(">4I", 0, *[2**32 - 1] * 3), "not possible"),
    "gzip truncated": (gzip.compress(GOOD)[:-9], "cannot be read"),
    "gzip damaged": (gzip.compress(GOOD)[:-8] + bytes(8), "cannot be read"),
    "gzip truncated inside": (gzip.compress(GOOD[:-1]), "truncated"),
    "gzip trailing": (gzip.compress(GOOD + b"\0"), "trailing bytes"),
    "gzip expands past its header": (gzip.compress(GOOD + bytes(10**7)), "trailing bytes"),
    "gzip header states too much": (gzip.compress(HUGE), "more than the file holds"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_file_is_named(tmp_path, case):
    content, words = MALFORMED[case]
    path = tmp_path / "broken-idx"
    path.write_bytes(content)
    with pytest.raises(DataFormatError, match=words) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "case", ["header states too much", "gzip expands past its header", "gzip header states too much"]
)
def test_malformed_file_takes_no_memory(tmp_path, case):
    path = tmp_path / "broken-idx"
    path.write_bytes(MALFORMED[case][0])
    tracemalloc.start()
    with pytest.raises(DataFormatError):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The bomb expands to 10 MB.
    assert peak < 1e6


def test_folder_mistakes(tmp_path):
    with pytest.raises(DataFormatError, match="not a folder"):
        load_idx(tmp_path / "nothing")
    with pytest.raises(DataFormatError, match="holds no IDX files"):
        load_idx(tmp_path)
    write_folder(tmp_path, labels_train=5)
    with pytest.raises(DataFormatError, match="do not match"):
        load_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataFormatError, match="no IDX file of test labels"):
        load_idx(tmp_path, split="test")
    write_folder(tmp_path)
    (tmp_path / "train-images-copy").write_bytes(GOOD)
    with pytest.raises(DataFormatError, match="more than one file"):
        load_idx(tmp_path)


def test_a_file_that_does_not_fit_in_memory_is_one_error(tmp_path, monkeypatch):
    from initsk.datasets import _idx

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(_idx, "read_at_most", full)
    (tmp_path / "a").write_bytes(GOOD)
    with pytest.raises(DataFormatError, match="a: the content does not fit in the memory of this machine"):
        read_idx(tmp_path / "a")


def test_no_images_are_refused(tmp_path):
    write_folder(tmp_path, n_test=0)
    with pytest.raises(DataFormatError, match=r"the test images of shape \(0, 2, 2\) have no pixels") as caught:
        load_idx(tmp_path, split="test")
    assert str(caught.value).startswith(str(tmp_path))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "train-images")
    with pytest.raises(DataFormatError, match="train-images: is a pipe"):
        read_idx(tmp_path / "train-images")


def test_tables(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [1, 2], "kind": ["x", "y"]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        X, y = load_table(tmp_path / name, "kind")
        assert list(X.columns) == ["a", "b"]
        assert y.tolist() == ["x", "y"]
    with pytest.raises(ValueError, match=r"unknown column 'c'\. Allowed: 'a', 'b', 'kind'"):
        load_table(tmp_path / "t.csv", "c")
    with pytest.raises(ValueError, match="features must be numeric; not numeric: kind"):
        load_table(tmp_path / "t.csv", "a")
    (tmp_path / "bad.parquet").write_bytes(b"nonsense")
    with pytest.raises(DataFormatError, match=r"bad\.parquet"):
        load_table(tmp_path / "bad.parquet", "a")


@pytest.mark.parametrize("data_set", ["MNIST", "FashionMNIST", "KMNIST"])
def test_folders_of_torchvision(tmp_path, data_set):
    raw = tmp_path / data_set / "raw"
    raw.mkdir(parents=True)
    write_folder(raw, pack=bytes)
    for path in list(raw.iterdir()):
        (raw / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    expected = load_idx(write_folder_in(tmp_path / "plain"), return_X_y=True)
    for folder in (raw, raw.parent, tmp_path):
        for found, wanted in zip(load_idx(folder, return_X_y=True), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    # The content counts, not the bytes of the file that is packed.
    labels = raw / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\x07")
    with pytest.raises(DataFormatError, match=r"t10k-labels-idx1-ubyte and .*ubyte\.gz differ; keep one"):
        load_idx(tmp_path)


def write_folder_in(folder):
    folder.mkdir()
    return write_folder(folder)


def test_a_root_folder_of_several_data_sets_is_refused(tmp_path):
    for data_set in ("MNIST", "KMNIST"):
        (tmp_path / data_set / "raw").mkdir(parents=True)
        write_folder(tmp_path / data_set / "raw")
    with pytest.raises(DataFormatError, match=r"has several data sets \(.*KMNIST.*MNIST.*\); name one of them"):
        load_idx(tmp_path)
    assert load_idx(tmp_path / "KMNIST").data.shape == (10, 4)
