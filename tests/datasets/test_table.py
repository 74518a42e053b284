"""Loading tables: each fault is one error that names the file, the column and the row."""

import gzip
import os
import sys

import numpy as np
import pandas as pd
import pytest

from initsk.datasets import load_table
from initsk.exceptions import DataFormatError, InvalidParameterError
from tests.fuzz.support import bounded


def written(folder, content, name="t.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


FAULTY = {
    "empty": ("", "is empty"),
    "only blank lines": ("\n \n", "is empty"),
    "only a header": ("a,y\n", "has 0 rows and 1 column besides the target"),
    "every row is longer": ("a,y\n1,2,3\n4,5,6\n", "row 1 has 3 values, and the header has 2"),
    "every row ends with a comma": ("a,y\n1,2,\n4,5,\n", "row 1 has 3 values, and the header has 2"),
    "one row is longer": ('a,y\n\n1,"2\n3"\n4,5,6\n', "row 2 has 3 values, and the header has 2"),
    "the target twice": ("a,y,y\n1,2,2\n", "the columns 2 and 3 have the same name 'y'"),
    "a column twice": ("a,a,y\n1,2,3\n", "the columns 1 and 2 have the same name 'a'"),
    "a copy of the target": ("a,y,y.1\n1,2,2\n3,4,4\n", "the column 'y.1' is a copy of the target 'y'"),
    "a copy with a space": ("a, Y,y\n1,2,2\n", "the column ' Y' is a copy of the target 'y'"),
    "text": ("a,b,y\n1,1,2\n3,x,4\n", r"not numeric: b \(row 2: 'x'\)"),
    "an open quote": ('a,y\n1,"2\n', "EOF inside string"),
    "UTF-16": ("a,y\n1,2\n".encode("utf-16"), "is UTF-16 text; save the file as UTF-8"),
    "Latin-1": ("a,y\n1,2\n3,é\n".encode("latin-1"), "line 3 is not UTF-8 text"),
    "binary": (b"a,y\n1,2\x00\n", "is not text; it has the byte 00"),
    "too many columns": (",".join(f"c{i}" for i in range(10**6)), "the number of columns is 1,000,000"),
    "gzip truncated": (gzip.compress(b"a,y\n" + b"1,2\n" * 1000)[:-9], "ended before the end-of-stream marker"),
    "gzip wrong checksum": (gzip.compress(b"a,y\n1,2\n")[:-8] + bytes(8), "CRC check failed"),
    "gzip bomb": (
        gzip.compress(b"a,y\n" + b"1,2\n" * 25_000_000, 1),
        "size in bytes grows from .* to 9[67],.* or more",
    ),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_faulty_csv_file_is_refused(tmp_path, case):
    content, words = FAULTY[case]
    path = written(tmp_path, content)
    with bounded(2**24), pytest.raises(DataFormatError, match=words) as caught:
        load_table(path, "y")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfa,y\n1,2\n3,4\n", b"a,y\r\n1,2\r\n3,4\r\n", b"a,y\r1,2\r3,4", b'\n"a","y"\n1,2\n\n3,4\n'],
    ids=["byte order mark", "Windows lines", "old Mac lines", "quotes and blank lines"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_csv_of_other_programs(tmp_path, content, pack):
    X, y = load_table(written(tmp_path, pack(content)), "y")
    assert X.to_dict("list") == {"a": [1, 3]}
    assert y.tolist() == [2, 4]


def test_values_that_a_row_lacks_are_missing(tmp_path):
    X, y = load_table(written(tmp_path, "a,b,y\n1,2,3\n4\n"), "y")
    assert X["b"].isna().tolist() == [False, True]
    assert y.isna().tolist() == [False, True]


def test_numbers_of_any_length_are_numbers(tmp_path):
    X, _ = load_table(written(tmp_path, f"a,y\n1,2\n{'9' * 30},2\n"), "y")
    np.testing.assert_allclose(X["a"], [1, 1e30])


def test_labels_that_begin_with_numbers_stay_text(tmp_path):
    # pandas reads a column in parts: numbers in the first one, and text in the last one.
    _, y = load_table(written(tmp_path, "a,y\n" + "1,2\n" * 300_000 + "1,x\n"), "y")
    assert set(y) == {"2", "x"}


def test_the_names_of_a_parquet_file(tmp_path):
    frame = pd.DataFrame(np.arange(8.0).reshape(4, 2), columns=[0, 1])
    frame.to_parquet(tmp_path / "t.parquet")
    X, y = load_table(tmp_path / "t.parquet", "1")
    assert X.columns.tolist() == ["0"]
    assert y.tolist() == [1, 3, 5, 7]
    with pytest.raises(InvalidParameterError, match="unknown column 'a'"):
        load_table(tmp_path / "t.parquet", "a")


def test_a_parquet_file_that_expands_too_far_is_refused(tmp_path):
    pd.DataFrame({"a": np.zeros(10**7, "i1"), "y": np.zeros(10**7, "i1")}).to_parquet(tmp_path / "t.parquet")
    with (
        bounded(2**16),
        pytest.raises(DataFormatError, match=r"t\.parquet: its size in bytes grows from .* to 160,000,000"),
    ):
        load_table(tmp_path / "t.parquet", "y")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_what_is_no_regular_file_is_refused(tmp_path, name):
    path = tmp_path / name
    os.mkfifo(path)
    with bounded(2**16), pytest.raises(DataFormatError, match="is a pipe; allowed: a regular file"):
        load_table(path, "y")
    path.unlink()
    path.mkdir()
    with pytest.raises(DataFormatError, match="is a folder"):
        load_table(path, "y")
    path.rmdir()
    path.symlink_to(path)
    with pytest.raises(DataFormatError, match="Too many levels of symbolic links"):
        load_table(path, "y")
    for other in (tmp_path / f"{'x' * 300}{name}", f"\0{name}", tmp_path / f"nothing-{name}"):
        with pytest.raises(DataFormatError, match="cannot be read"):
            load_table(other, "y")


def test_a_missing_target_is_answered_with_the_columns_and_the_nearest_name(tmp_path):
    few = written(tmp_path, "size,weight,label\n1,2,3\n")
    with pytest.raises(InvalidParameterError, match=r"did you mean 'label'\? Allowed: 'label', 'size', 'weight'$"):
        load_table(few, "lable")
    many = written(
        tmp_path, ",".join([f"pixel{i}" for i in range(784)] + ["class"]) + "\n" + ",".join("1" * 785) + "\n"
    )
    with pytest.raises(InvalidParameterError, match=r"did you mean 'class'. Allowed: 'class', .*, \.\.\.$"):
        load_table(many, "Clas")
    with pytest.raises(InvalidParameterError, match="sep sets the character"):
        load_table(written(tmp_path, "a y\n1 2\n"), "y")


def test_parquet_without_pyarrow_names_what_to_install(tmp_path, monkeypatch):
    pd.DataFrame({"a": [1.0], "y": [0]}).to_parquet(tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataFormatError, match=r"t\.parquet: .* pip install 'initsk\[parquet\]'"):
        load_table(tmp_path / "t.parquet", "y")
