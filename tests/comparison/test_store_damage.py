"""A store that is damaged, edited or hostile, or on a full or read-only disk: one clear error, or the right result."""

import multiprocessing
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.comparison import recover_store
from initsk.comparison.results import TABLES
from initsk.exceptions import StoreError

X, Y = load_iris(return_X_y=True)
NAMES = ["zeros", "he_normal", "orthogonal"]


def compare(store, **changes):
    arguments = {"initializers": NAMES, "n_repeats": 2} | changes
    return compare_initializers(MLPClassifier((4,), max_epochs=2), X, Y, store=store, **arguments)


def assert_same(first, second, but=()):
    for name in set(TABLES) - set(but):
        assert first.frames[name].equals(second.frames[name]), name
    assert first.settings == second.settings


def edit(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "runs.sqlite"
    return path, compare(path)


@pytest.fixture
def store(made, tmp_path):
    path = tmp_path / "runs.sqlite"
    path.write_bytes(made[0].read_bytes())
    return path


def assert_refused(store, words):
    before = store.read_bytes()
    for use in (ComparisonResult.from_store, compare):
        with pytest.raises(StoreError, match=words) as caught:
            use(store)
        assert str(store) in str(caught.value)
    assert store.read_bytes() == before


def test_a_score_that_was_edited_is_refused_and_the_other_runs_are_kept(made, store):
    content = store.read_bytes()
    [score] = made[1].runs.query("initializer == 'he_normal' and repeat == 1")["score"]
    text = f'{{"score": {score}}}'.encode()
    start = content.rindex(text)
    other = text.replace(b"0.", b"1.")
    store.write_bytes(content[:start] + other + content[start + len(text) :])
    assert_refused(store, r"is damaged .the digest of the run of \w+, repeat \d, fold 0 .*recover_store")
    new = store.with_name("new.sqlite")
    records = recover_store(store, new)
    assert records["kept"].sum() == 5
    assert len(records) == 6
    assert records["reason"].str.contains("digest").sum() == 1
    # The fields of the new file are those of the old one, so only one run is carried out.
    assert_same(compare(new), made[1], but={"timing"})
    assert (compare(new).timing["seconds"] == made[1].timing["seconds"]).sum() == 5


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["DELETE FROM runs WHERE initializer = 'zeros'"], "4 runs of 6 are left"),
        (["UPDATE runs SET repeat = 'two' WHERE repeat = 1 AND initializer = 'zeros'"], "repeat two"),
        (["UPDATE runs SET scores = '{\"score\": 1.0}'"], "the digest of the run of zeros, repeat 0, fold 0"),
        (["UPDATE runs SET history = X'80FF'"], "the digest of the run of zeros"),
        (["UPDATE experiment SET value = '7' WHERE name = 'random_state'"], "random_state in experiment"),
        (["DELETE FROM experiment WHERE name = 'random_state'"], "a part of the experiment is missing"),
        (["UPDATE comparison SET settings = '{}'"], "the row of comparison"),
        (["DELETE FROM totals"], "the number of its runs is missing"),
        (["ALTER TABLE runs DROP COLUMN seconds"], "its tables are not those of a store"),
        (["ALTER TABLE runs ADD COLUMN more TEXT"], "its tables are not those of a store"),
        (["DROP TABLE comparison"], "its tables are not those of a store"),
        (["CREATE TABLE mine (a)"], "its tables are not those of a store"),
        (["CREATE TRIGGER t AFTER INSERT ON open_sessions BEGIN UPDATE runs SET scores = '{}'; END"], "its tables"),
        (
            [
                "DROP TABLE comparison",
                "CREATE VIEW comparison AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
                " SELECT n AS id, 'a' AS settings, 'b' AS candidates, 'c' AS digest FROM c",
            ],
            "its tables are not those of a store",
        ),
        (
            ["PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = replace(sql, 'TEXT', 'TEXTE')"],
            "its tables are not those of a store|malformed",
        ),
    ],
)
def test_a_store_that_was_edited_is_refused(store, statements, words):
    edit(store, *statements)
    started = time.monotonic()
    assert_refused(store, words)
    assert time.monotonic() - started < 10


def test_what_all_runs_share_is_kept_twice(made, store):
    for table in ("experiment", "experiment_copy"):
        edit(store, f"UPDATE {table} SET digest = 'wrong'")
        assert_refused(store, "is damaged")
        new = store.with_name(f"{table}.sqlite")
        if table == "experiment":
            assert recover_store(store, new)["kept"].all()
            assert_same(compare(new), made[1])
        else:
            with pytest.raises(StoreError, match="where it describes its experiment"):
                recover_store(store, new)
            assert not new.exists()


def test_an_experiment_of_which_parts_are_lost_is_not_recovered(store):
    edit(store, "UPDATE experiment_copy SET content = '{}'", "DELETE FROM experiment WHERE id > 5")
    with pytest.raises(StoreError, match="where it describes its experiment: no run can be taken over"):
        recover_store(store, store.with_name("new.sqlite"))


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE runs SET id = id + 1000"],
        ["PRAGMA journal_mode = DELETE", "PRAGMA page_size = 65536", "VACUUM"],
        ["PRAGMA auto_vacuum = 1", "VACUUM"],
    ],
)
def test_a_store_that_another_program_has_arranged_anew_is_read_and_recovered(made, store, statements):
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()
    assert_same(ComparisonResult.from_store(store), made[1])
    new = store.with_name("new.sqlite")
    assert recover_store(store, new)["kept"].tolist() == [True] * 6
    assert_same(ComparisonResult.from_store(new), made[1])


def test_recovering_never_overwrites(store):
    before = store.read_bytes()
    with pytest.raises(StoreError, match="exists already"):
        recover_store(store, store)
    assert store.read_bytes() == before
    with pytest.raises(StoreError, match="cannot be read"):
        recover_store(store.with_name("missing.sqlite"), store.with_name("new.sqlite"))


def test_damage_in_the_log_of_a_killed_comparison_loses_only_the_last_runs(made, tmp_path):
    path, log = tmp_path / "runs.sqlite", tmp_path / "runs.sqlite-wal"
    compare(path, initializers=NAMES[:1])
    with closing(sqlite3.connect(path)) as reader:
        # While the file is read, what is new stays in the log.
        reader.execute("BEGIN").connection.execute("SELECT count(*) FROM runs").fetchall()
        compare(path)
        content = bytearray(log.read_bytes())
        killed = tmp_path / "killed"
        killed.mkdir()
        (killed / path.name).write_bytes(path.read_bytes())
    content[len(content) // 2] ^= 1
    (killed / log.name).write_bytes(content)
    assert_same(compare(killed / path.name), made[1], but={"timing"})


@pytest.mark.parametrize("use", [ComparisonResult.from_store, compare])
def test_a_pipe_and_a_folder_are_refused(tmp_path, use):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(StoreError, match="allowed: a regular file"):
            use(tmp_path / name)
    with pytest.raises(StoreError, match="is a pipe; allowed: a regular file"):
        recover_store(tmp_path / "pipe", tmp_path / "new")
    for name in ("a" * 300, "nul\0"):
        with pytest.raises(StoreError, match="cannot be"):
            use(tmp_path / name)


def test_a_draft_that_a_killed_process_has_left_is_removed(tmp_path):
    left = tmp_path / f".runs.sqlite.{'0a' * 16}"
    others = [tmp_path / ".runs.sqlite.mine", tmp_path / f".other.sqlite.{'0a' * 16}"]
    for path in (left, *others):
        path.touch()
    compare(tmp_path / "runs.sqlite", n_repeats=1)
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "runs.sqlite", *others])


def read_only(path, queue):
    """Report what an unprivileged process gets from a store that it cannot write."""
    if os.geteuid() == 0:
        os.setuid(65534)
    assert not os.access(path, os.W_OK)
    scores = [ComparisonResult.from_store(path).runs["score"].tolist(), compare(path).runs["score"].tolist()]
    try:
        compare(path, n_repeats=3)
    except StoreError as error:
        queue.put((scores, str(error)))


def test_a_finished_store_is_read_where_it_cannot_be_written(made, tmp_path_factory):
    folder = Path(os.path.realpath("/tmp")) / f"initsk-{os.getpid()}"
    folder.mkdir()
    path = folder / "runs.sqlite"
    try:
        path.write_bytes(made[0].read_bytes())
        path.chmod(0o444)
        folder.chmod(0o555)
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=read_only, args=(path, queue))
        process.start()
        scores, message = queue.get(timeout=60)
        process.join()
        assert scores == [made[1].runs["score"].tolist()] * 2
        assert message == f"{path} cannot be written, and 3 runs of the comparison are not in it"
        assert [p.name for p in folder.iterdir()] == ["runs.sqlite"]
    finally:
        folder.chmod(0o755)
        path.unlink()
        folder.rmdir()


def test_a_full_disk_is_named_and_the_finished_runs_are_kept(made, tmp_path, monkeypatch):
    path = tmp_path / "runs.sqlite"
    compare(path, n_repeats=1)
    connect = sqlite3.connect

    def connect_to_a_full_disk(*arguments, **options):
        connection = connect(*arguments, **options)
        [(n_pages,)] = connection.execute("PRAGMA page_count")
        connection.execute(f"PRAGMA max_page_count = {n_pages + 2}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_to_a_full_disk)
        with pytest.raises(StoreError, match=r"cannot be used: the disk is full; free some space"):
            compare(path)
    assert_same(compare(path), made[1], but={"timing"})


def test_a_name_with_control_characters_is_kept(tmp_path):
    def strange(tensor):
        tensor.fill_(0.1)

    strange.__name__ = strange.__qualname__ = "\udc80\x00\x1b[31m\r=1+1"
    path = tmp_path / "runs.sqlite"
    result = compare(path, initializers=[strange])
    # Frames hold no lone surrogates.
    assert result.initializers == ["\\udc80\x00\x1b[31m\r=1+1"]
    assert_same(ComparisonResult.from_store(path), result)
    assert_same(compare(path, initializers=[strange]), result)


@pytest.mark.parametrize("size", [0, 4096, 5000])
def test_what_is_left_of_a_store_that_was_cut_is_no_run(store, tmp_path, size):
    store.write_bytes(store.read_bytes()[:size])
    with pytest.raises(StoreError, match=r"runs\.sqlite .*no run"):
        recover_store(store, tmp_path / "new.sqlite")
    assert not (tmp_path / "new.sqlite").exists()
