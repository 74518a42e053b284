"""Saved comparisons: text of any kind comes back unchanged; a file that has changed is refused."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.comparison.results import TABLES
from initsk.exceptions import DataFormatError
from tests.fuzz.support import bounded, fuzz, on_examples, result_or_error

# Frames hold no lone surrogates, and before pandas 3 "" and "\0" are one value to them; all else may be in a name.
_REFUSED = "\0" if pd.__version__ < "3" else ""
TEXT = st.text(st.characters(codec="utf-8", exclude_characters=_REFUSED), max_size=12)


def compare(**options):
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier((4,), max_epochs=1)
    return compare_initializers(clf, X, y, initializers=["zeros", "ones"], n_repeats=2, **options)


@pytest.fixture(scope="module")
def result():
    return compare()


@pytest.fixture(scope="module")
def small():
    return compare(activations=False)


def assert_same(first, second):
    for name in TABLES:
        pd.testing.assert_frame_equal(first.frames[name], second.frames[name], check_exact=True)
    assert first.settings == second.settings


@on_examples(4, 400)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_text_of_any_kind_comes_back(small, kind, examples):
    def law(labels, reason, about):
        named = {
            name: frame.assign(initializer=frame["initializer"].cat.rename_categories(labels))
            for name, frame in small.frames.items()
        }
        named["runs"] = named["runs"].assign(reason=[reason, *named["runs"]["reason"][1:]])
        made = ComparisonResult(named, small.settings | {"dataset": about})
        with TemporaryDirectory() as folder:
            assert_same(ComparisonResult.load(made.save(folder, format=kind)), made)

    fuzz(law, st.lists(TEXT, min_size=2, max_size=2, unique=True), TEXT, st.text(), examples=examples)


@on_examples(5, 600)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_that_has_changed_is_refused(result, kind, examples, tmp_path_factory):
    folder = result.save(tmp_path_factory.mktemp("saved"), format=kind)
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}

    def law(name, place, change):
        content = contents[name]
        start = place % len(content)
        new = change if change is not None else bytes([content[start] ^ 1 << place % 8])
        changed = content[:start] + new + content[start + 1 :]
        path = Path(folder) / name
        path.write_bytes(changed)
        with bounded(20 * sum(map(len, contents.values()))):
            loaded, error = result_or_error(lambda: ComparisonResult.load(folder), DataFormatError)
        path.write_bytes(content)
        if error is None:
            assert_same(loaded, result)
        else:
            assert str(path) in error
            assert changed != content

    fuzz(
        law,
        st.sampled_from(sorted(contents)),
        st.integers(0, 2**40),
        st.none() | st.binary(max_size=4),
        examples=examples,
    )
