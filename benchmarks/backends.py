"""Time the same comparison in this process, in two processes, and on a Dask cluster of two workers.

The two processes are timed twice: with the start of the workers, and with workers that are running already.
"""

import time

import joblib
from dask.distributed import Client, LocalCluster
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_iris

from initsk import MLPClassifier, compare_initializers
from initsk.comparison import ARTICLE_INITIALIZERS

SIZES = [(12, 1), (60, 1), (600, 1), (12, 300), (60, 300)]


def seconds(n_runs, max_epochs, n_jobs=None):
    started = time.perf_counter()
    data = load_iris(return_X_y=True)
    n_repeats = n_runs // len(ARTICLE_INITIALIZERS)
    compare_initializers(MLPClassifier((32,), max_epochs=max_epochs), *data, n_repeats=n_repeats, n_jobs=n_jobs)
    return time.perf_counter() - started


def on_dask(n_runs, max_epochs):
    started = time.perf_counter()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        start = time.perf_counter() - started
        with joblib.parallel_config("dask"):
            return seconds(n_runs, max_epochs), start


def main():
    seconds(6, 1)
    for n_runs, max_epochs in SIZES:
        alone = seconds(n_runs, max_epochs)
        first, again = (seconds(n_runs, max_epochs, n_jobs=2) for _ in range(2))
        get_reusable_executor().shutdown(wait=True)
        dask, start = on_dask(n_runs, max_epochs)
        print(
            f"{n_runs} runs of {max_epochs} epochs: this process {alone:.1f}, two processes {first:.1f},"
            f" again {again:.1f}, Dask {dask:.1f} after a start of {start:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
