"""Reading tables as other programs write them: separators, decimal commas, index columns, columns of any type."""

import gzip
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from initsk.datasets import load_table, read_table
from initsk.exceptions import DataFormatError, DataFormatWarning, InvalidParameterError
from tests.datasets.test_table import written

MIXED = pd.DataFrame({
    "size": [3.14, -0.5, np.nan, 1234.567], "count": [1, 20, 3, 4], "name, or text": ["a,b", "c;d", 'e|"f"', "g\th"],
    "known": [True, False, True, False], "day": ["2024-01-31", "2024-02-01", np.nan, "2024-02-03"],
})  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_the_separator_is_found_and_named(tmp_path, name, separator):
    path = written(tmp_path, MIXED.to_csv(sep=separator, index=False), name)
    if separator == {"t.csv": ",", "t.tsv": "\t"}[name]:
        found = read_table(path)
    else:
        with pytest.warns(DataFormatWarning, match="values are separated by") as caught:
            found = read_table(path)
        assert repr(separator) in str(caught[0].message)
    pd.testing.assert_frame_equal(found, MIXED, check_dtype=False)
    pd.testing.assert_frame_equal(read_table(path, sep=separator), MIXED, check_dtype=False)


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv.gz"])
def test_gzipped_tables(tmp_path, name):
    separator = "\t" if "tsv" in name else ","
    path = written(tmp_path, gzip.compress(MIXED.to_csv(sep=separator, index=False).encode()), name)
    pd.testing.assert_frame_equal(read_table(path), MIXED, check_dtype=False)


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ("a;y\n1,5;0\n2,5;1\n", ";"),
        ("Weight, kg;Height, cm;y\n70,5;180,2;1\n71,5;181,2;0\n", ";"),
        ("income;monthly,age,y\n1000,30,1\n2000,40,0\n", ","),
        ("a,b\n1;2;3,x\n4;5;6,y\n", ","),
        ('"a;b","c"\n1,2\n', ","),
        ('a;"b\n,c";y\n1;2;3\n', ";"),
        ("a|b,c\n1|2\n3|4\n", "|"),
        ("a,y\n1,2\n4\n", ","),
    ],
)
@pytest.mark.filterwarnings("ignore::initsk.exceptions.DataFormatWarning")
def test_separators_that_are_also_part_of_the_text(tmp_path, content, separator):
    path = written(tmp_path, content)
    expected = read_table(path, sep=separator)
    pd.testing.assert_frame_equal(read_table(path, decimal="."), read_table(path, sep=separator, decimal="."))
    pd.testing.assert_frame_equal(read_table(path), expected)
    assert expected.shape[1] > 1


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_decimal_commas(tmp_path, separator):
    path = written(tmp_path, MIXED.to_csv(sep=separator, decimal=",", index=False))
    with pytest.warns(DataFormatWarning, match="its numbers have decimal commas"):
        found = read_table(path)
    pd.testing.assert_frame_equal(found, MIXED, check_dtype=False)
    pd.testing.assert_frame_equal(read_table(path, separator, ","), MIXED, check_dtype=False)


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ('a,y\n"1,234",1\n"2,345",2\n', ","),
        ('a,y\n"3,14",1\n"2,5",2\n', ","),
        ("a;y\n1,234;1\n2,345;2\n", ";"),
        ("a;b;y\n3,14;1.5;1\n2,5;2.5;2\n", ";"),
        ("a;b;y\n3,14;1,234,567;1\n2,5;2;2\n", ";"),
    ],
    ids=["thousands or decimals", "commas are separators", "thousands or decimals", "points too", "thousands too"],
)
def test_doubtful_commas_stay_text_and_are_named(tmp_path, content, separator):
    path = written(tmp_path, content)
    with pytest.warns(DataFormatWarning, match=r"stay text: column 'a' \(row 1: '.*'\); .* decimal=','"):
        found = read_table(path, sep=separator)
    first = content.splitlines()[1].removeprefix('"')
    assert found["a"][0] == first[: max(first.rfind('"'), first.find(";"))]
    # With a decimal mark, there is no warning, unless the commas can only be decimal marks.
    is_sure = "3,14" in content and "1.5" not in content and "567" not in content
    words = r"stay text: column 'a' \(row 1: '3,14'\); .* decimal=','"
    with pytest.warns(DataFormatWarning, match=words) if is_sure else nullcontext():
        assert read_table(path, separator, ".")["a"][0] == found["a"][0]
    assert read_table(path, separator, ",")["a"][0] == float(found["a"][0].replace(",", "."))


def test_the_index_that_pandas_writes_is_no_column(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2.5, 3.5], "y": [0, 1, 1]})
    for index in ([0, 1, 2], [7, 3, 9], ["x", "y", "z"]):
        frame.set_axis(index, axis=0).to_csv(tmp_path / "t.csv")
        with pytest.warns(DataFormatWarning, match=r"'Unnamed: 0' \(the index of the rows\)"):
            pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), frame)
    # Written, read by pandas, and written again.
    frame.to_csv(tmp_path / "t.csv")
    pd.read_csv(tmp_path / "t.csv").to_csv(tmp_path / "t.csv")
    with pytest.warns(DataFormatWarning, match="the index"):
        X, y = load_table(tmp_path / "t.csv", "y")
    assert X.columns.tolist() == ["a"]
    assert y.tolist() == [0, 1, 1]


def test_a_column_without_a_name_that_is_no_index_stays(tmp_path):
    assert read_table(written(tmp_path, ",y\n1,2\n1,3\n")).columns.tolist() == ["Unnamed: 0", "y"]


def test_the_empty_column_after_a_last_separator_is_dropped(tmp_path):
    with pytest.warns(DataFormatWarning, match=r"'Unnamed: 2' \(empty\)"):
        found = read_table(written(tmp_path, "a,y,\n1,2,\n3,4,\n"))
    assert found.to_dict("list") == {"a": [1, 3], "y": [2, 4]}


def test_parquet_keeps_types_and_drops_an_index_that_was_a_column(tmp_path):
    frame = pd.DataFrame({
        "Unnamed: 0": [0, 1], "day": pd.to_datetime(["2024-01-31", "2024-02-01"]), "kind": pd.Categorical(["a", "b"])
    })  # fmt: skip
    frame.to_parquet(tmp_path / "t.pq")
    with pytest.warns(DataFormatWarning, match="Unnamed: 0"):
        pd.testing.assert_frame_equal(read_table(tmp_path / "t.pq"), frame.drop(columns="Unnamed: 0"))


@pytest.mark.parametrize("settings", [{"sep": ";;"}, {"sep": ""}, {"sep": "a"}, {"sep": 3}, {"decimal": ";"}])
def test_a_separator_or_decimal_mark_that_is_none(tmp_path, settings):
    with pytest.raises(InvalidParameterError, match=r"read_table: (sep|decimal)=.* is not allowed"):
        read_table(written(tmp_path, "a,y\n1,2\n"), **settings)


def test_a_longer_row_is_named_whatever_the_separator(tmp_path):
    with pytest.raises(DataFormatError, match="row 2 has 3 values, and the header has 2"):
        read_table(written(tmp_path, "a;y\n1;2\n1;2;3\n"))
