"""Loading NPZ files; damaged ones are refused, and take no more memory than they hold."""

import io
import os
import struct
import zipfile

import numpy as np
import pytest

from initsk.datasets import load_npz
from initsk.exceptions import DataFormatError
from tests.fuzz.support import bounded

X, Y = np.arange(12.0).reshape(6, 2), np.arange(6) % 2


def packed(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def archive(members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(text):
    line = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line


def stating(kind, shape):
    return header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}")


def changed(content, position, value):
    return content[:position] + value + content[position + len(value) :]


GOOD = packed(X=X, y=Y)
DIRECTORY = GOOD.index(b"PK\x01\x02")
DAMAGED = {
    "empty": (b"", "not a zip file"),
    "not a zip": (b"hello" * 100, "not a zip file"),
    "truncated": (GOOD[:-30], "not a zip file"),
    "wrong checksum": (changed(GOOD, GOOD.index(X.tobytes()) + 3, b"\x01"), "Bad CRC-32 for file 'X.npy'"),
    "encrypted": (changed(GOOD, DIRECTORY + 8, b"\x01"), "the array X is encrypted"),
    "unknown method": (changed(GOOD, DIRECTORY + 10, b"\x63"), "the array X is compressed by the method 99"),
    "4 EiB": (archive({"X": stating("<f8", (2**59,)), "y": npy(Y)}), f"its header states {2**62} bytes"),
    "impossible shape": (archive({"X": stating("<f8", (0, 2**62, 2**62)), "y": npy(Y)}), "cannot be read as an NPZ"),
    "negative shape": (archive({"X": stating("<f8", (-1,)), "y": npy(Y)}), r"the shape \(-1,\)"),
    "single value": (packed(X=np.array(3.0), y=Y), "X is a single value"),
    "Python objects": (packed(X=X, y=np.array([None] * 6)), "the array y has the type object"),
    "records": (packed(X=X, y=np.zeros(6, [("a", "i4")])), "the array y has the type"),
    "not an array": (archive({"X": b"hello", "y": npy(Y)}), "the header of X is not that of an array"),
    "deep header": (archive({"X": header("(" * 5000), "y": npy(Y)}), "the header of X is not that of an array"),
    "long header": (
        archive(
            {"X": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + bytes(10**8), "y": npy(Y)}, zipfile.ZIP_DEFLATED
        ),
        "the header of X is not that of an array",
    ),
    "trailing bytes": (archive({"X": npy(X) + b"x", "y": npy(Y)}), "the array X has trailing bytes"),
    "no characters": (archive({"X": npy(X), "y": stating("<U1", (6,)) + b"\xff" * 24}), "the array y is damaged"),
    "no truth values": (archive({"X": npy(X), "y": stating("|b1", (6,)) + b"\x07" * 6}), "the array y is damaged"),
    "a single array": (npy(X), "a single array in the NPY format"),
    "no arrays": (archive({}), "its arrays are none"),
    "other names": (packed(images=X), "its arrays are images"),
    "half a pair": (packed(X=X, y=Y, X_val=X), "with or without X_val and y_val"),
    "lengths": (packed(X=X, y=Y[:4]), "the number of rows of X is 6, and that of y is 4"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named_and_takes_no_memory(tmp_path, case):
    content, words = DAMAGED[case]
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with bounded(2**16), pytest.raises(DataFormatError, match=words) as caught:
        load_npz(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_all_orders_come_back(tmp_path, save):
    save(tmp_path / "data.npz", X=np.asfortranarray(X).astype(">f8"), y=Y.astype(">i2"), X_val=X[:2], y_val=["a", "b"])
    found = load_npz(tmp_path / "data.npz")
    assert list(found) == ["X", "y", "X_val", "y_val"]
    np.testing.assert_array_equal(found["X"], X)
    np.testing.assert_array_equal(found["y"], Y)
    assert found["y_val"].tolist() == ["a", "b"]
    assert all(array.dtype.isnative for array in found.values())


def test_arrays_that_are_not_asked_for_are_not_read(tmp_path):
    np.savez(tmp_path / "data.npz", X=X, y=Y, names=np.array([None, "a"]))
    assert list(load_npz(tmp_path / "data.npz")) == ["X", "y"]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "data.npz")
    with bounded(2**16), pytest.raises(DataFormatError, match=r"data\.npz: is a pipe"):
        load_npz(tmp_path / "data.npz")


@pytest.mark.parametrize(
    "names", [("x_train", "y_train", "x_test", "y_test"), ("X_train", "y_train", "X_test", "y_test")]
)
def test_arrays_of_keras(tmp_path, names):
    path = tmp_path / "mnist.npz"
    images = np.arange(48, dtype=np.uint8).reshape(12, 2, 2)
    parts = dict(zip(names, (images[:8], np.arange(8), images[8:], np.arange(4)), strict=True))
    np.savez(path, **parts)
    found = load_npz(path)
    assert list(found) == ["X", "y", "X_val", "y_val"]
    for array, wanted in zip(found.values(), parts.values(), strict=True):
        np.testing.assert_array_equal(array, wanted)
    np.savez(path, **(parts | {names[3]: np.arange(3)}))
    with pytest.raises(DataFormatError, match=f"rows of {names[2]} is 4, and that of y_test is 3"):
        load_npz(path)
    del parts[names[2]]
    np.savez(path, **parts)
    with pytest.raises(DataFormatError, match=r"allowed: X and y.* or x_train, y_train, x_test and y_test"):
        load_npz(path)
