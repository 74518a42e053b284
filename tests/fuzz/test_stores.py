"""A store that is damaged in any way gives the same result as before, or is refused; its other runs are taken over."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.comparison import recover_store
from initsk.exceptions import StoreError
from tests.fuzz.support import bounded, fuzz, on_examples, result_or_error

X, Y = load_iris(return_X_y=True)
# No float is cut from a fraction, so that every bit of the file can be drawn.
PLACE = st.integers(0, 2**40)
N_RUNS = 6


def compare(store):
    clf = MLPClassifier((4,), max_epochs=2)
    return compare_initializers(clf, X, Y, initializers=["zeros", "he_normal"], n_repeats=3, store=store)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a finished store as bytes, and its result."""
    path = tmp_path_factory.mktemp("store") / "runs.sqlite"
    result = compare(path)
    return path.read_bytes(), result


def assert_same(result, expected, *, but=()):
    for name in expected.frames.keys() - set(but):
        assert result.frames[name].equals(expected.frames[name]), name
    assert result.settings == expected.settings


def check(content, made, honest_size):
    """The file is read as before or refused by one error that names it; what can be recovered is as before."""
    _, expected = made
    with TemporaryDirectory() as folder:
        path, new = Path(folder) / "runs.sqlite", Path(folder) / "new.sqlite"
        path.write_bytes(content)
        # The frames of a result take more memory than the file, in which histograms are packed.
        with bounded(40 * honest_size):
            result, error = result_or_error(lambda: ComparisonResult.from_store(path), StoreError)
        if error is None:
            assert_same(result, expected)
        else:
            assert str(path) in error
        assert path.read_bytes() == content
        with bounded(40 * honest_size):
            records, error = result_or_error(lambda: recover_store(path, new), StoreError)
        if error is not None:
            assert str(path) in error
            return
        kept = records["kept"].sum()
        assert kept <= N_RUNS
        if kept == N_RUNS:
            assert_same(compare(new), expected)


@on_examples(6, 400)
def test_single_bits_anywhere(made, examples):
    content, _ = made
    # Hypothesis prefers small numbers, which are the first pages of the file.
    for place in np.random.default_rng(0).integers(8 * len(content), size=examples).tolist():
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        check(bytes(flipped), made, len(content))


@on_examples(4, 600)
def test_flipped_bits(made, examples):
    content, _ = made

    def law(places):
        flipped = bytearray(content)
        for place in places:
            place %= 8 * len(content)
            flipped[place // 8] ^= 1 << place % 8
        check(bytes(flipped), made, len(content))

    fuzz(law, st.lists(PLACE, min_size=1, max_size=3), examples=examples)


@on_examples(4, 400)
def test_cut_and_overwritten_parts(made, examples):
    content, _ = made

    def law(start, length, filling, cut):
        start %= len(content)
        end = min(start + length, len(content))
        middle = b"" if cut else (filling * (end - start))[: end - start]
        check(content[:start] + middle + content[end:], made, len(content))

    lengths = st.integers(1, 20_000)
    fuzz(law, PLACE, lengths, st.binary(min_size=1, max_size=8), st.booleans(), examples=examples)


@on_examples(4, 400)
def test_pages_that_change_places(made, examples):
    content, _ = made
    pages = len(content) // 4096

    def law(first, second):
        parts = [content[4096 * i : 4096 * (i + 1)] for i in range(pages)]
        parts[first % pages] = parts[second % pages]
        check(b"".join(parts), made, len(content))

    fuzz(law, PLACE, PLACE, examples=examples)


TABLES = ("experiment", "experiment_copy", "runs", "totals", "comparison")
VALUES = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=8), st.text(max_size=8),
    st.sampled_from(["{}", "[]", "null", "[[[", '{"score": "high"}', "NaN", "1e999", "[" * 100_000]),
)  # fmt: skip


@on_examples(6, 600)
def test_edited_rows(made, examples):
    content, expected = made

    def law(data):
        table = data.draw(st.sampled_from(TABLES))
        with TemporaryDirectory() as folder:
            path = Path(folder) / "runs.sqlite"
            path.write_bytes(content)
            with closing(sqlite3.connect(path)) as connection:
                names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})") if name != "id"]
                name = data.draw(st.sampled_from(names))
                [(before,)] = connection.execute(f"SELECT {name} FROM {table} ORDER BY id LIMIT 1")
                try:
                    with connection:
                        first = f"(SELECT min(id) FROM {table})"
                        connection.execute(f"UPDATE {table} SET {name} = ? WHERE id = {first}", (data.draw(VALUES),))
                except (sqlite3.IntegrityError, UnicodeEncodeError):
                    return
                [(after,)] = connection.execute(f"SELECT {name} FROM {table} ORDER BY id LIMIT 1")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if (before, type(before)) == (after, type(after)):
                return
            with pytest.raises(StoreError, match="is damaged"):
                ComparisonResult.from_store(path)
            kept = recover_store(path, Path(folder) / "new.sqlite")["kept"].sum()
            assert kept == N_RUNS - (table == "runs")
            assert_same(compare(Path(folder) / "new.sqlite"), expected, but={"timing"} if table == "runs" else ())

    fuzz(law, st.data(), examples=examples)
