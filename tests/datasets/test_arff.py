"""ARFF files: the same values that scipy's reader gives, and one error for what is no dense ARFF file."""

import gzip

import numpy as np
import pandas as pd
import pytest
from scipy.io import arff

from initsk.datasets import load_table, read_table
from initsk.exceptions import DataFormatError
from tests.datasets.test_table import written

PLAIN = """% a comment
@relation 'my plants'

@ATTRIBUTE size REAL
@attribute 'leaf count' integer
@attribute kind {oak, 'red maple', "pine"}
@attribute class {0,1}
@DATA
3.5, 2, oak, 1
% another comment

?,3,'red maple',0
1e-3,?,?,?
"""


def test_values_are_those_of_scipy(tmp_path):
    # scipy does not find a value in quotes among those of the header.
    path = written(tmp_path, PLAIN.replace("'red maple'", "maple").replace('"pine"', "pine"), "t.arff")
    found = read_table(path)
    expected = pd.DataFrame(arff.loadarff(path)[0])
    assert found.columns.tolist() == expected.columns.tolist() == ["size", "leaf count", "kind", "class"]
    np.testing.assert_array_equal(found[["size", "leaf count"]], expected[["size", "leaf count"]])
    for name in ("kind", "class"):
        assert found[name].astype(object).fillna("?").tolist() == [value.decode() for value in expected[name]]
    assert found["kind"].cat.categories.tolist() == ["oak", "maple", "pine"]


def test_gzipped_with_double_quotes_and_text(tmp_path):
    content = PLAIN.replace("'red maple',0", '"red maple",0').replace(
        "@attribute class {0,1}", "@attribute note string"
    )
    content = content.replace("{oak, 'red maple', \"pine\"}", '{oak, "red maple"}').replace(
        "oak, 1", 'oak, "a, \\"b\\""'
    )
    found = read_table(written(tmp_path, gzip.compress(content.encode()), "t.arff.gz"))
    assert found["kind"].astype(object).fillna("?").tolist() == ["oak", "red maple", "?"]
    assert found["note"][0] == 'a, "b"'


def test_openml_form_of_mnist(tmp_path):
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (5, 784)), rng.integers(0, 10, 5)
    names = [f"pixel{number}" for number in range(1, 785)]
    rows = [",".join(map(str, [*row, label])) for row, label in zip(pixels, labels, strict=True)]
    header = [
        "@RELATION mnist_784",
        *(f"@ATTRIBUTE {name} real" for name in names),
        "@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}",
    ]
    for file in (
        written(tmp_path, "\n".join([*header, "@DATA", *rows]), "mnist_784.arff"),
        written(tmp_path, "\n".join([",".join(f'"{name}"' for name in [*names, "class"]), *rows]), "mnist_784.csv"),
    ):
        X, y = load_table(file, "class")
        assert X.columns.tolist() == names
        np.testing.assert_array_equal(X, pixels)
        assert y.astype(int).tolist() == labels.tolist()


FAULTY = {
    "empty": ("", "has no line @data"),
    "a CSV file": ("a,y\n1,2\n", "line 1 is not of an ARFF header"),
    "no columns": ("@data\n1,2\n", "has no line @attribute"),
    "an unknown type": (
        "@attribute a relational\n@data\n",
        "the column 'a' has the type 'relational' .allowed: numeric",
    ),
    "a column twice": ("@attribute a real\n@attribute a real\n@data\n1,2\n", "the columns 1 and 2 have the same name"),
    "no type": ("@attribute a\n@data\n1\n", "line 1 is not @attribute NAME TYPE"),
    "sparse": (
        "@attribute a real\n@attribute b real\n@data\n{0 1.5, 1 2}\n",
        "has sparse rows: '{0 1.5, 1 2}'",
    ),
    "a longer row": ("@attribute a real\n@data\n1\n1,2\n", "row 2 has 2 values, and there are 1 column"),
    "a shorter row": ("@attribute a real\n@attribute b real\n@data\n1,2\n1\n", "row 2 has 1 value, and there are 2"),
    "no number": ("@attribute a real\n@data\n1\nx\n", r"header does not allow: a \(row 2: 'x'\)"),
    "no category": ("@attribute a {u,v}\n@data\nu\nw\n", r"header does not allow: a \(row 2: 'w'\)"),
    "two kinds of quotes": ("@attribute a string\n@data\n'u'\n\"v\"\n", "single and in double quotes"),
    "Latin-1": ("@attribute a string\n@data\né\n".encode("latin-1"), "line 3 is not UTF-8 text"),
    "binary": (b"@attribute a real\n@data\n1\0\n", "is not text; it has the byte 00"),
    "an open quote": ("@attribute a string\n@data\n'u\n", "row 1|EOF inside string"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_faulty_arff_file_is_refused(tmp_path, case):
    content, words = FAULTY[case]
    path = written(tmp_path, content, "t.arff")
    with pytest.raises(DataFormatError, match=words) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
