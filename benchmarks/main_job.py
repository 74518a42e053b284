"""Time ``initsk compare`` and the same experiment in plain skorch and in Keras, in turn.

All run as fresh processes, and the time includes their start. initsk and skorch carry out two runs at a time, and
Keras uses all of its threads; initsk also writes its report. Prints seconds and ratios per round, and their spread.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
COMMANDS = {
    "initsk": ["-m", "initsk", "compare"],
    "initsk without report": [str(HERE / "initsk_comparison.py")],
    "plain skorch": [str(HERE / "plain_skorch.py")],
    "Keras": [str(HERE / "plain_keras.py")],
}


def seconds(command):
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=int, default=60000)
    parser.add_argument("--peers", nargs="+", default=["plain skorch"], choices=["plain skorch", "Keras"])
    parser.add_argument("--no-report", action="store_true", help="time only the comparison")
    options = parser.parse_args()
    sizes = ["--epochs", options.epochs, "--repeats", options.repeats, "--limit", options.limit, "--jobs", 2]
    shared = [str(part) for part in sizes]
    ours = "initsk without report" if options.no_report else "initsk"
    ratios = {peer: [] for peer in options.peers}
    for number in range(1, options.rounds + 1):
        took = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in [ours, *options.peers]:
                command = [sys.executable, *COMMANDS[name], *shared, "--out", f"{folder}/{name}"]
                took[name] = seconds(command)
        for peer in options.peers:
            ratios[peer].append(took[peer] / took[ours])
        shown = ", ".join(f"{name} {value:.1f} s" for name, value in took.items())
        print(f"round {number}: {shown}", flush=True)
    for peer, values in ratios.items():
        spread = f"from {min(values):.3f} to {max(values):.3f}"
        print(f"{peer} takes this many times as long as initsk: median {statistics.median(values):.3f}, {spread}")


if __name__ == "__main__":
    main()
