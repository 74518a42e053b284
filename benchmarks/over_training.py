"""Measure the time and memory to record activations over training, with SkorchDoctor and ActivationRecorder.

The article's network in a skorch net on MNIST, Adam, batches of 32; each method trains in a process of its own.
SkorchDoctor keeps every activation, gradient and update of every step, so memory is given for the steps that were
run, and extrapolated to the article's five epochs of 60,000 images.
"""

import argparse
import gc
import subprocess
import sys
import time
from pathlib import Path

import skorch
import torch
from skorch.helper import SkorchDoctor

from initsk.datasets import load_mnist
from initsk.inspection import ActivationRecorder
from initsk.network import MLP

ARTICLE = 5 * 60_000 // 32
WAYS = ("nothing", "SkorchDoctor", "recorder, every step", "recorder, every 10 steps", "recorder, gradients, every 10")


def held():
    """Return the memory of this process in KiB."""
    gc.collect()
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line).split()[1])


def recorder_for(way):
    arguments = {
        "recorder, every step": {},
        "recorder, every 10 steps": {"every": 10},
        "recorder, gradients, every 10": {"every": 10, "gradients": True},
    }
    return [ActivationRecorder(unit="step", **arguments[way])] if way in arguments else []


def child(way, steps):
    """Print the seconds of a training, and the growth of the process's memory in KiB."""
    X, y = load_mnist(split="train", return_X_y=True)
    torch.manual_seed(0)
    net = skorch.NeuralNetClassifier(
        MLP(784, 10, (512, 256, 128, 64)), criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3,
        batch_size=32, max_epochs=1, train_split=None, verbose=0, callbacks=recorder_for(way),
    )  # fmt: skip
    X, y = torch.tensor(X[: 32 * steps], dtype=torch.float32), torch.tensor(y[: 32 * steps])
    # Measured after loading, so only the records count.
    net.initialize().partial_fit(X[:320], y[:320])
    before, started = held(), time.perf_counter()
    doctor = SkorchDoctor(net)
    (doctor.fit if way == "SkorchDoctor" else net.partial_fit)(X, y)
    print(time.perf_counter() - started, held() - before)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--child", choices=WAYS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.steps)
        return
    for way in WAYS:
        command = [sys.executable, __file__, "--child", way, "--steps", str(options.steps)]
        done = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        seconds, mib = float(done[0]), float(done[1]) / 2**10
        whole = mib * ARTICLE / options.steps / 2**10
        print(f"{way:30s} {seconds:7.2f} s  {mib:7.1f} MiB  {whole:8.3f} GiB in {ARTICLE} steps", flush=True)


if __name__ == "__main__":
    main()
