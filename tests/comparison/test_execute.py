"""Processes, threads and clusters give the same numbers, also if one of them is killed."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from distributed import Client, LocalCluster
from sklearn.datasets import load_iris
from skorch.callbacks import Callback

from initsk import MLPClassifier, compare_initializers
from initsk.comparison.results import TABLES
from initsk.exceptions import InvalidParameterError

X, Y = load_iris(return_X_y=True)
SAME = set(TABLES) - {"timing"}
CLF = MLPClassifier((8,), max_epochs=2)


def compare(**changes):
    arguments = {"initializers": ["zeros", "he_normal", "orthogonal"], "n_repeats": 3} | changes
    return compare_initializers(arguments.pop("estimator", CLF), X, Y, **arguments)


def assert_same(first, second):
    for name in SAME:
        assert first.frames[name].equals(second.frames[name]), name


def die(tensor):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_backends_give_the_same_result(backend):
    with joblib.parallel_config(backend, n_jobs=2):
        assert_same(compare(), compare(n_jobs=1))


def test_a_backend_that_returns_results_only_at_the_end_raises():
    with (
        joblib.parallel_config("multiprocessing", n_jobs=2),
        pytest.raises(InvalidParameterError, match=r"MultiprocessingBackend.*allowed: loky, threading, dask"),
    ):
        compare()


@pytest.mark.slow
def test_a_run_that_kills_its_worker_fails_and_the_others_continue(tmp_path):
    arguments = {"n_jobs": 2, "n_repeats": 2, "store": tmp_path / "runs.sqlite"}
    result = compare(initializers=["zeros", die, "he_normal"], **arguments)
    status = result.runs.set_index(["initializer", "repeat"])["status"]
    assert set(status["die"]) == {"failed"}
    assert set(status[["zeros", "he_normal"]]) == {"ok"}
    assert result.runs.query("initializer == 'die'")["reason"].str.contains("killed").all()
    without = compare(initializers=["zeros", "he_normal"], n_repeats=2)
    rest = result.runs[result.runs["initializer"] != "die"]
    assert rest["score"].tolist() == without.runs["score"].tolist()


@pytest.fixture
def python_random():
    """Restore Python's random state, which Dask draws names from."""
    before = random.getstate()
    yield
    random.setstate(before)


@pytest.mark.slow
def test_a_dask_cluster_that_loses_a_worker_gives_the_same_result(python_random):
    slow = MLPClassifier((32,), max_epochs=30)
    expected = compare(estimator=slow, n_repeats=6)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        done = []

        def kill_in_the_middle():
            started = "initsk.comparison.execution._run"
            while not client.run(lambda: started in sys.modules).get(next(iter(client.nthreads()))):
                time.sleep(0.05)
            os.kill(victim, signal.SIGKILL)
            done.append(victim)

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        with joblib.parallel_config("dask"):
            result = compare(estimator=slow, n_repeats=6)
        killer.join()
    assert done == [victim]
    assert_same(result, expected)


class Threads(Callback):
    """Writes the number of torch's threads to a file."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_begin(self, net, **kwargs):
        (Path(self.folder) / f"{os.getpid()}-{time.time_ns()}").write_text(str(torch.get_num_threads()))


@pytest.mark.parametrize(("n_jobs", "n_threads"), [pytest.param(1, 1, marks=pytest.mark.slow), (1, 2), (2, 1)])
def test_each_run_has_its_number_of_threads(tmp_path, n_jobs, n_threads):
    before = torch.get_num_threads()
    clf = MLPClassifier((8,), max_epochs=1, callbacks=[Threads(str(tmp_path))])
    compare(estimator=clf, n_jobs=n_jobs, n_threads=n_threads)
    assert {path.read_text() for path in tmp_path.iterdir()} == {str(n_threads)}
    assert len(list(tmp_path.iterdir())) == 9
    assert torch.get_num_threads() == before


def test_large_data_are_shared_and_not_copied(tmp_path):
    class Kind(Callback):
        def on_train_begin(self, net, X=None, **kwargs):
            while isinstance(X.base, np.ndarray):
                X = X.base
            (tmp_path / f"{time.time_ns()}").write_text(type(X).__name__)

    data = np.random.default_rng(0).normal(size=(20_000, 50)).astype(np.float32)
    clf = MLPClassifier((2,), max_epochs=1, batch_size=10_000, callbacks=[Kind()])
    compare_initializers(
        clf, data, (data[:, 0] > 0).astype(int), X_val=data[:10], y_val=np.arange(10) % 2, initializers=["zeros"],
        n_repeats=4, n_jobs=2,
    )  # fmt: skip
    assert {path.read_text() for path in tmp_path.iterdir()} == {"memmap"}


def test_progress_shows_the_time_left(capsys):
    compare(progress=True)
    shown = capsys.readouterr().err
    assert "100%" in shown
    assert "9/9" in shown
    assert "run/s" in shown or "s/run" in shown


SCRIPT = """
import sys
from sklearn.datasets import load_digits
from initsk import MLPClassifier, compare_initializers
X, y = load_digits(return_X_y=True)
clf = MLPClassifier((64,), max_epochs=20)
compare_initializers(clf, X / 16, y, n_repeats=50, n_jobs=int(sys.argv[1]), store=sys.argv[2], progress=True)
"""


KILLS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)


def children_of(group):
    listed = subprocess.run(["ps", "-eo", "pgid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if line.split()[0] == str(group) and "resource_tracker" not in line]


def has_runs(store):
    if not store.exists():
        return False
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute("SELECT count(*) FROM runs").fetchone()[0] > 2


@pytest.mark.parametrize(
    ("n_jobs", "sign", "code"),
    [
        pytest.param(2, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(1, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGKILL, -9, marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_and_kill_leave_no_worker_behind(tmp_path, n_jobs, sign, code):
    store = tmp_path / "runs.sqlite"
    command = [sys.executable, "-c", SCRIPT, str(n_jobs), str(store)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not has_runs(store):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # Ctrl-C reaches all processes of the terminal, a kill only the one with the given id.
    (os.killpg if sign == signal.SIGINT else os.kill)(process.pid, sign)
    messages = process.communicate(timeout=60)[1]
    assert process.returncode == code
    if sign == signal.SIGINT:
        assert f"they are in {store}, and the same call continues from there" in messages
        assert "Traceback" not in messages
    while children_of(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def workers_of(group):
    return [line for line in children_of(group) if "loky" in line]


@pytest.mark.parametrize("sign", [pytest.param(sign, marks=pytest.mark.slow) for sign in KILLS])
@pytest.mark.parametrize("delay", [0.0, 0.3, 1.0, 2.0])
def test_a_kill_while_workers_start_leaves_no_worker_behind(tmp_path, sign, delay):
    command = [sys.executable, "-c", SCRIPT, "2", str(tmp_path / "runs.sqlite")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not workers_of(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(delay)
    os.kill(process.pid, sign)
    process.wait(60)
    while children_of(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.3, 1.0, 2.0])
def test_ctrl_c_while_workers_start_prints_one_line(tmp_path, delay):
    command = [sys.executable, "-c", SCRIPT, "2", str(tmp_path / "runs.sqlite")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not workers_of(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    messages = process.communicate(timeout=60)[1]
    assert process.returncode == 130, messages
    assert "Traceback" not in messages
    assert "interrupted with" in messages
    while children_of(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)
