"""Damaged data files: the loaders return what the file holds, or raise one error of one line that names the file."""

import csv
import gzip
import io
import struct
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from initsk.datasets import load_npz, load_table, read_idx, read_table
from initsk.exceptions import DataFormatWarning, InitskError
from tests.fuzz.support import bounded, fuzz, on_examples

rng = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": rng.normal(size=12).round(3), "b": np.arange(12), "y": np.arange(12) % 3})
X, Y = FRAME[["a", "b"]].to_numpy(), FRAME["y"].to_numpy()
# The content of a file of 12 rows takes less.
HONEST = 2**16


def in_memory(write):
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


CSV = FRAME.to_csv(index=False).encode()
PARQUET = in_memory(FRAME.to_parquet)
NPZ = in_memory(lambda stream: np.savez(stream, X=X, y=Y))
PACKED_NPZ = in_memory(lambda stream: np.savez_compressed(stream, X=X, y=Y))
IDX = bytes([0, 0, 0x0E, 2]) + struct.pack(">2I", *X.shape) + X.astype(">f8").tobytes()


def flipped(content):
    """Return the content with some bits changed."""
    places = st.lists(
        st.tuples(st.integers(0, len(content) - 1), st.integers(0, 7)), min_size=1, max_size=4, unique=True
    )

    def flip(where):
        changed = bytearray(content)
        for position, bit in where:
            changed[position] ^= 1 << bit
        return bytes(changed)

    return places.map(flip)


def cut(content):
    return st.integers(0, len(content) - 1).map(lambda end: content[:end])


def spliced(content, *others):
    """Return the content with one part replaced by a part of another file, by large numbers or by any bytes."""
    position = st.integers(0, len(content))
    hostile = st.sampled_from(
        [b"\xff" * 8, b"\x00" * 8, b"\xff\xff\xff\x7f", b'"', b",", b"\n", b"1e999", b"(" * 300, b"\r"]
    )
    parts = [st.binary(max_size=40), hostile, *(cut(other) for other in others)]
    return st.tuples(position, position, st.one_of(parts)).map(lambda p: content[: p[0]] + p[2] + content[p[1] :])


def damaged(content, *others):
    return st.one_of(flipped(content), cut(content), spliced(content, content, *others))


def outcome(load, path):
    """Return what a loader returns, or None after the one error that is allowed."""
    with bounded(HONEST), warnings.catch_warnings(action="ignore", category=DataFormatWarning):
        try:
            return load(path)
        except InitskError as error:
            message = str(error)
    assert message.startswith(str(path))
    assert "\n" not in message
    return None


def same_arrays(found):
    np.testing.assert_array_equal(found["X"], X)
    np.testing.assert_array_equal(found["y"], Y)


@on_examples(30, 400)
@pytest.mark.parametrize("content", [NPZ, PACKED_NPZ], ids=["stored", "deflated"])
def test_npz_gives_the_saved_arrays_or_is_refused(tmp_path, content, examples):
    path = tmp_path / "data.npz"

    def law(changed):
        path.write_bytes(changed)
        found = outcome(load_npz, path)
        if found is not None:
            same_arrays(found)

    fuzz(law, st.one_of(flipped(content), cut(content)), examples=examples)


NPY_HEADER = st.builds(
    "{{'descr': {}, 'fortran_order': {}, 'shape': {}}}".format,
    st.sampled_from(
        ["'<f8'", "'>i4'", "'|O'", "'<U3'", "'|S2'", "'|b1'", "'<c16'", "'|V4'", "[('a', '<f8')]", "'x'", "1"]
    ),
    st.sampled_from(["True", "False", "2"]),
    st.one_of(
        st.lists(st.sampled_from([0, 1, 2, 12, -1, 2**31, 2**62]), max_size=4).map(lambda n: repr(tuple(n))),
        st.just("("),
    ),
)


@on_examples(40, 300)
def test_npz_with_any_header_takes_no_more_than_the_file_holds(tmp_path, examples):
    import zipfile

    path = tmp_path / "data.npz"

    def law(header, content, method):
        text = header.encode() + b"\n"
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("X.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content)
            archive.writestr("y.npy", in_memory(lambda stream: np.save(stream, Y)))
        found = outcome(load_npz, path)
        if found is not None:
            assert found["X"].nbytes == len(content)
            assert len(found["X"]) == len(Y)

    content = st.one_of(st.binary(max_size=100), st.sampled_from([bytes(96), bytes(192), X.tobytes()]))
    fuzz(law, NPY_HEADER, content, st.sampled_from([0, 8, 12, 14]), examples=examples)


@on_examples(30, 300)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_gives_what_its_header_states_or_is_refused(tmp_path, pack, examples):
    path, whole = tmp_path / "images-idx2", pack(IDX)

    def law(changed):
        path.write_bytes(changed)
        found = outcome(read_idx, path)
        if found is None:
            return
        plain = gzip.decompress(changed) if changed[:2] == b"\x1f\x8b" else changed
        assert found.shape == struct.unpack(f">{plain[3]}I", plain[4 : 4 + 4 * plain[3]])
        assert found.astype(found.dtype.newbyteorder(">")).tobytes() == plain[4 + 4 * plain[3] :]

    fuzz(law, damaged(whole), examples=examples)


def cells(content):
    """Return the rows of a CSV file as Python reads them, without the lines that have only spaces."""
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return [row for row in rows if len(row) > 1 or "".join(row).strip()]


def as_number(text):
    return (
        {"true": 1.0, "false": 0.0}.get(text.strip().lower())
        if text.strip().lower() in ("true", "false")
        else float(text)
    )


@on_examples(60, 600)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_csv_gives_the_values_of_its_rows_or_is_refused(tmp_path, pack, examples):
    path, whole = tmp_path / "data.csv.gz", pack(CSV)

    def law(changed):
        path.write_bytes(changed)
        found = outcome(lambda file: load_table(file, "y"), path)
        if found is None:
            return
        names, *rows = cells(gzip.decompress(changed) if changed[:2] == b"\x1f\x8b" else changed)
        frame, _ = found
        assert len(set(names)) == len(names)
        assert len(frame) == len(rows)
        for name, values in frame.items():
            column = names.index(name) if name in names else int(name.removeprefix("Unnamed: "))
            for value, row in zip(values.astype(float), rows, strict=True):
                text = row[column] if column < len(row) else ""
                assert np.isnan(value) if text.strip().lower() in MISSING else np.isclose(value, as_number(text))

    fuzz(law, damaged(whole, NPZ), examples=examples)


# What pandas takes for a missing value.
MISSING = {
    "",
    "nan",
    "-nan",
    "na",
    "n/a",
    "null",
    "none",
    "<na>",
    "#n/a",
    "#na",
    "-1.#ind",
    "-1.#qnan",
    "1.#ind",
    "1.#qnan",
}


ARFF = b"@relation r\n@attribute a real\n@attribute 'b c' {0,1,2}\n@data\n" + b"".join(
    b"%.3f,%d\n" % (a, y) for a, y in zip(X[:, 0], Y, strict=True)
)


@on_examples(60, 500)
def test_arff_gives_the_values_of_its_rows_or_is_refused(tmp_path, examples):
    path = tmp_path / "data.arff"

    def law(changed):
        path.write_bytes(changed)
        found = outcome(read_table, path)
        if found is not None:
            rows = [line for line in changed.splitlines() if line.strip() and line.lstrip()[:1] not in b"@%"]
            assert len(found) <= len(rows)
            if b"\n@attribute a real\n" in changed:
                assert found["a"].dtype.kind in "biuf"

    fuzz(law, damaged(ARFF, CSV), examples=examples)


@on_examples(60, 500)
def test_parquet_gives_a_table_or_is_refused(tmp_path, examples):
    path = tmp_path / "data.parquet"

    def law(changed):
        path.write_bytes(changed)
        found = outcome(lambda file: load_table(file, "y"), path)
        if found is not None:
            frame, y = found
            assert len(frame) == len(y)
            assert all(dtype.kind in "biuf" for dtype in frame.dtypes)

    fuzz(law, damaged(PARQUET, CSV), examples=examples)
