"""The store keeps every finished run: after a kill, the same call gives the same result to the byte."""

import copy
import multiprocessing
import os
import pickle
import signal
import sqlite3
from contextlib import closing, suppress

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.comparison import ComparisonInterrupted
from initsk.comparison.results import TABLES
from initsk.datasets import table_preparation
from initsk.exceptions import InvalidParameterError, StoreError

X, Y = load_iris(return_X_y=True)
CLF = MLPClassifier((8,), max_epochs=4)
SAME = set(TABLES) - {"timing"}


def compare(store, **changes):
    arguments = {"initializers": ["zeros", "he_normal", "orthogonal"], "n_repeats": 3} | changes
    data = arguments.pop("X", X), arguments.pop("y", Y)
    return compare_initializers(arguments.pop("estimator", CLF), *data, store=store, **arguments)


def write(result, folder):
    # Durations differ every time, and so would the digest of their table.
    result.timing = result.timing.assign(seconds=0.0, fit_seconds=0.0, seconds_per_epoch=0.0)
    result.save(folder)
    return result


def assert_same_bytes(first, second):
    for name in ["comparison.json", *(f"{table}.csv" for table in SAME)]:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    write(compare(None, n_repeats=12), folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write(compare(None), folder).to_json(folder / "report.json")
    return folder


def n_runs(store):
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute("SELECT count(*) FROM runs").fetchone()[0]


def die(tensor):
    os.kill(os.getpid(), signal.SIGKILL)


def run_session(store, n_jobs, n_repeats):
    os.setsid()
    compare(store, n_jobs=n_jobs, n_repeats=n_repeats)


def with_a_killer(store, folder):
    compare(store, initializers=["zeros", die, "he_normal"], n_repeats=1).save(folder)


@pytest.fixture(scope="module")
def fork():
    """Return a context whose processes start with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.warm", "tests.comparison.test_store"])
    return context


def end_of(process, seconds=120):
    process.join(seconds)
    return process.exitcode


def kill_at_random(fork, tmp_path, whole, rng, n_jobs, longest, n_repeats):
    """Kill a comparison again and again until it finishes; return the number of kills."""
    deaths, store = 0, tmp_path / "runs.sqlite"
    while True:
        process = fork.Process(target=run_session, args=(store, n_jobs, n_repeats))
        process.start()
        process.join(rng.uniform(0, longest))
        if process.is_alive():
            process.kill()
        if end_of(process) == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        deaths += 1
        with suppress(ProcessLookupError):
            # A worker that is just starting does not watch its parent yet.
            os.killpg(process.pid, signal.SIGKILL)
        # On a slow machine, no run finishes in a short time.
        longest *= 1.1
    assert n_runs(store) == 3 * n_repeats
    write(compare(store, n_repeats=n_repeats), tmp_path / "out")
    assert_same_bytes(whole, tmp_path / "out")
    return deaths


def test_a_killed_comparison_continues(fork, tmp_path, whole):
    rng, deaths, round_ = np.random.default_rng(0), 0, 0
    while deaths < 2:
        folder = tmp_path / str(round_)
        folder.mkdir()
        deaths, round_ = deaths + kill_at_random(fork, folder, whole, rng, 1, 0.4, n_repeats=3), round_ + 1


@pytest.mark.slow
@pytest.mark.parametrize(("n_jobs", "longest", "enough"), [(1, 0.4, 25), (2, 12.0, 8)])
def test_a_comparison_killed_with_and_without_workers_continues(fork, tmp_path, long, n_jobs, longest, enough):
    rng, deaths, round_ = np.random.default_rng(n_jobs), 0, 0
    while deaths < enough:
        folder = tmp_path / str(round_)
        folder.mkdir()
        deaths, round_ = deaths + kill_at_random(fork, folder, long, rng, n_jobs, longest, 12), round_ + 1


def test_a_store_does_not_change_a_byte(tmp_path, whole):
    for attempt in ("first", "from the store"):
        result = write(compare(tmp_path / "runs.sqlite"), tmp_path / attempt)
        assert_same_bytes(whole, tmp_path / attempt)
    assert result.to_json() == (whole / "report.json").read_text()
    assert [path.name for path in tmp_path.glob("*.sqlite*")] == ["runs.sqlite"]


def test_an_interrupted_comparison_continues(tmp_path, whole):
    store = tmp_path / "runs.sqlite"
    with pytest.raises(ComparisonInterrupted, match=r"they are in .*, and the same call continues") as caught:
        compare(store, initializers=["zeros", "he_normal", interrupt])
    assert caught.value.code == 130
    assert caught.value.store == store
    assert n_runs(store) == caught.value.finished == 2
    write(compare(store), tmp_path / "out")
    assert_same_bytes(whole, tmp_path / "out")


def interrupt(tensor):
    raise KeyboardInterrupt


def test_runs_are_read_and_not_run_again(tmp_path):
    first, again = (compare(tmp_path / "runs.sqlite", n_repeats=1) for _ in range(2))
    # Equal durations show that the runs were read: a new run would have another duration.
    assert first.timing.equals(again.timing)


def test_other_tools_read_a_store(tmp_path):
    result = compare(tmp_path / "runs.sqlite")
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        rows = pd.read_sql("SELECT *, json_extract(scores, '$.score') AS score FROM runs", connection)
    keys = ["initializer", "repeat", "fold"]
    both = rows.merge(result.runs.astype({"initializer": "str"}), on=keys)
    for name in ("score", "seed", "split", "status", "val_ratio"):
        assert (both[f"{name}_x"] == both[f"{name}_y"]).all(), name
    assert rows["made_of"].str.contains("HeNormal").sum() == 3
    assert rows["data"].str.contains(r"array\(150, 4\) float32").all()
    assert rows["versions"].str.contains(torch.__version__, regex=False).all()


def test_initializers_and_repeats_can_be_added(tmp_path, whole):
    store = tmp_path / "runs.sqlite"
    compare(store, initializers=["zeros"], n_repeats=2)
    write(compare(store), tmp_path / "out")
    assert n_runs(store) == 9
    assert_same_bytes(whole, tmp_path / "out")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (Pipeline([("scale", MinMaxScaler(copy=True)), ("mlp", CLF)]), "scale is .*StandardScaler there and .*MinMax"),
        (
            Pipeline([("scale", StandardScaler(with_std=False)), ("mlp", CLF)]),
            "scale__with_std is True there",
        ),
        (Pipeline([("scale", StandardScaler()), ("mlp", clone(CLF).set_params(lr=1.0))]), "mlp__lr is 0.001 there"),
    ],
)
def test_other_steps_of_a_pipeline_raise(tmp_path, changed, words):
    store, before = tmp_path / "runs.sqlite", Pipeline([("scale", StandardScaler()), ("mlp", CLF)])
    compare(store, estimator=before, initializers=["zeros"], n_repeats=1)
    with pytest.raises(StoreError, match=words):
        compare(store, estimator=changed, initializers=["zeros"], n_repeats=1)


def test_racing_gives_the_same_result_with_a_store_that_has_more_runs(tmp_path):
    arguments = {"estimator": MLPClassifier((16,), max_epochs=8, lr=0.02), "n_repeats": 6, "activations": False}
    compare(tmp_path / "runs.sqlite", **arguments)
    fresh, known = (compare(store, racing=True, **arguments) for store in (None, tmp_path / "runs.sqlite"))
    assert fresh.settings == known.settings
    assert fresh.settings["racing"]["runs_saved"] > 0
    for name in SAME:
        assert fresh.frames[name].equals(known.frames[name])


def plain(tensor):
    tensor.fill_(0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"X": X + 1}, r"another experiment, and this one needs another file: other data \(X\)$"),
        ({"y": Y[::-1]}, r"another file: another target \(y\), with the same X$"),
        ({"estimator": MLPClassifier((8,), max_epochs=4, lr=0.01)}, "lr is 0.001 there and 0.01 here"),
        ({"estimator": MLPClassifier((9,), max_epochs=4)}, r"hidden_layer_sizes is \(8\) there and \(9\) here"),
        ({"random_state": 1}, "random_state is 0 there and 1 here$"),
        ({"cv": 3}, "cv is None there and 3 here$"),
        ({"scoring": "f1_macro"}, "scoring is None there and 'f1_macro' here"),
        ({"n_threads": 2}, "n_threads is 1 there and 2 here"),
        ({"activations": False}, "activations is True there and False here"),
        ({"grid": {"lr": [0.1]}}, "lr is 0.001 there and compared or in the grid here$"),
    ],
)
def test_other_experiments_raise_with_the_difference(tmp_path, changes, words):
    store = tmp_path / "runs.sqlite"
    compare(store, initializers=["zeros"], n_repeats=1)
    before = store.read_bytes()
    with pytest.raises(StoreError, match=words):
        compare(store, **changes)
    assert store.read_bytes() == before


def test_a_missing_folder_is_created(tmp_path):
    compare(tmp_path / "new" / "runs.sqlite", initializers=["zeros"], n_repeats=1)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["runs.sqlite"]


def test_a_store_needs_a_random_state(tmp_path):
    with pytest.raises(InvalidParameterError, match="random_state=None draws another seed"):
        compare(tmp_path / "runs.sqlite", random_state=None)


def test_another_function_with_the_same_name_raises(tmp_path):
    store = tmp_path / "runs.sqlite"
    compare(store, initializers=[plain], n_repeats=1)
    namespace = {}
    exec("def plain(tensor):\n    tensor.fill_(0.2)", namespace)
    with pytest.raises(StoreError, match="has another run of plain"):
        compare(store, initializers=[namespace["plain"]], n_repeats=1)


def other_database(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE mine (a)")


def damage(path):
    compare(path, n_repeats=1)
    data = bytearray(path.read_bytes())
    # The first page has the schema and stays.
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


def cut_short(path):
    compare(path, n_repeats=1)
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("initializer,score\n"), "is not a store of runs"),
        (lambda path: path.touch(), "is not a store of runs"),
        (other_database, "is another program's database"),
        (damage, "is damaged|cannot be used"),
        (cut_short, "is damaged|cannot be used"),
    ],
)
def test_other_and_damaged_files_stay_unchanged(tmp_path, make, words):
    path = tmp_path / "runs.sqlite"
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=words):
        compare(path, n_repeats=1)
    assert path.read_bytes() == before


def test_a_store_that_cannot_be_written_raises_before_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        compare(tmp_path / "file" / "runs.sqlite")
    with pytest.raises(StoreError, match="is a folder; allowed: a regular file"):
        compare(tmp_path)


def test_two_processes_share_a_store(fork, tmp_path, whole):
    store = tmp_path / "runs.sqlite"
    processes = [fork.Process(target=run_session, args=(store, 1, 3)) for _ in range(2)]
    for process in processes:
        process.start()
    assert [end_of(process) for process in processes] == [0, 0]
    write(compare(store), tmp_path / "out")
    assert_same_bytes(whole, tmp_path / "out")
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM open_sessions").fetchone() == (0,)
    assert n_runs(store) == 9


def test_a_run_that_kills_the_process_fails_at_the_third_attempt(fork, tmp_path):
    store, folder = tmp_path / "runs.sqlite", tmp_path / "out"
    codes = []
    for _ in range(3):
        process = fork.Process(target=with_a_killer, args=(store, folder))
        process.start()
        codes.append(end_of(process))
    # The first process finishes a run, the next two none.
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, -signal.SIGKILL]
    process = fork.Process(target=with_a_killer, args=(store, folder))
    process.start()
    assert end_of(process) == 0
    runs = ComparisonResult.load(folder).runs
    assert runs["status"].tolist() == ["ok", "failed", "ok"]
    assert "killed" in runs["reason"][1]


def test_an_interrupt_can_be_sent_between_processes(tmp_path):
    sent = ComparisonInterrupted(None, 1, 3, tmp_path / "runs.sqlite")
    for received in (pickle.loads(pickle.dumps(sent)), copy.deepcopy(sent)):
        assert str(received) == str(sent)
        assert (received.code, received.finished, received.planned, received.store) == (130, 1, 3, sent.store)


def test_another_target_column_is_named_first_and_in_short(tmp_path):
    frame = pd.DataFrame(X[:40], columns=list("abcd")).assign(kind=np.arange(40) // 2 % 2, other=np.arange(40) % 2)
    clf = Pipeline([("prepare", table_preparation(frame[list("abcd")])), ("mlp", MLPClassifier((2,), max_epochs=1))])
    options = {"initializers": ["zeros"], "n_repeats": 1, "store": tmp_path / "runs.sqlite", "activations": False}
    compare_initializers(clf, frame.drop(columns="kind"), frame["kind"], **options)
    with pytest.raises(StoreError) as caught:
        compare_initializers(clf, frame.drop(columns="other"), frame["other"], **options)
    assert "another file: other columns of X (only there: 'other'; only here: 'kind'), as with another target" in str(
        caught.value
    )
