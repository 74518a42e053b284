"""Wall time of ``initsk compare`` against the same experiment in plain skorch, in turn.

Both run as fresh processes, start-up included, with two runs at a time; initsk also draws
and writes its report. Prints seconds and their ratio per round, and the spread.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(command):
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=60000)
    options = parser.parse_args()
    plain = Path(__file__).with_name("plain_skorch.py")
    sizes = ["--epochs", options.epochs, "--seeds", options.seeds, "--limit", options.limit, "--jobs", 2]
    shared = [str(part) for part in sizes]
    ratios = []
    for number in range(1, options.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            ours = seconds([sys.executable, "-m", "initsk", "compare", *shared, "--out", f"{folder}/initsk"])
            theirs = seconds([sys.executable, str(plain), *shared, "--out", f"{folder}/plain"])
        ratio = ours / theirs
        ratios.append(ratio)
        print(f"round {number}: initsk {ours:.1f} s, plain skorch {theirs:.1f} s, ratio {ratio:.3f}", flush=True)
    print(f"ratio: median {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main()
