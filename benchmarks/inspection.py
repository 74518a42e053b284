"""Measure the time and memory to inspect every layer of the article's network, with initsk and with other methods.

Moments and histograms of 50 bins of the values after each activation function and of the output, for 60,000 images.
Every round runs all methods in turn and begins with another method; ratios are taken within a round. Memory is the
growth of a process that does nothing else. captum is measured if it is installed.
"""

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from initsk import inspect_activations

WIDTHS = (512, 256, 128, 64)
BATCH = 2048


def network():
    """Build the article's network with torch's default weights."""
    torch.manual_seed(0)
    layers, width = [], 784
    for size in WIDTHS:
        layers += [nn.Linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*layers, nn.Linear(width, 10))


def bare(module, X):
    with torch.no_grad():
        for batch in X.split(BATCH):
            module(batch)


def after_functions(module, X):
    return inspect_activations(module, X, positions="activation", measures=(), bins=50, batch_size=BATCH)


def both_sites(module, X):
    return inspect_activations(module, X, measures=(), bins=50, batch_size=BATCH)


def all_measures(module, X):
    return inspect_activations(module, X, bins=50, batch_size=BATCH)


def watched(module):
    """Return the layers that the other methods inspect: the activation functions, and the last layer."""
    return [part for part in module if isinstance(part, nn.ReLU)] + [module[-1]]


def hooks_and_numpy(module, X):
    """Keep the values of every batch with forward hooks, concatenate them, and compute moments and histograms."""
    held = {part: [] for part in watched(module)}
    handles = [
        part.register_forward_hook(lambda part, _, output: held[part].append(output.numpy().copy())) for part in held
    ]
    bare(module, X)
    for handle in handles:
        handle.remove()
    for values in held.values():
        whole = np.concatenate(values)
        whole.mean(), whole.std(), np.histogram(whole, 50)


def captum_per_layer(module, X):
    """Get the values of one layer after the other from captum, and compute moments and histograms with numpy."""
    from captum.attr import LayerActivation

    for part in watched(module):
        parts = [LayerActivation(module, part).attribute(batch).detach().numpy() for batch in X.split(BATCH)]
        whole = np.concatenate(parts)
        whole.mean(), whole.std(), np.histogram(whole, 50)


WAYS = {
    "bare forward pass": bare,
    "initsk": after_functions,
    "initsk, before and after": both_sites,
    "initsk, all measures": all_measures,
    "hooks, numpy.histogram": hooks_and_numpy,
}
if importlib.util.find_spec("captum"):
    WAYS["captum"] = captum_per_layer


def images(n):
    return torch.rand(n, 784, generator=torch.Generator().manual_seed(0))


def most():
    """Return the peak memory of this process in KiB; the peak of getrusage includes the parent's."""
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line).split()[1])


def child(way, n):
    """Print by how many KiB one method raises the peak memory of the process."""
    module, X = network(), images(n)
    WAYS[way](module, X[:BATCH])
    before = most()
    WAYS[way](module, X)
    print(most() - before)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--child", choices=WAYS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.images)
        return
    module, X, ways = network(), images(options.images), list(WAYS)
    ratios, seconds = {way: [] for way in ways}, {way: [] for way in ways}
    for number in range(options.rounds):
        times = {}
        for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
            started = time.perf_counter()
            WAYS[way](module, X)
            times[way] = time.perf_counter() - started
        for way, spent in times.items():
            ratios[way].append(spent / times["bare forward pass"])
            seconds[way].append(spent)
    for way in ways:
        command = [sys.executable, __file__, "--child", way, "--images", str(options.images)]
        grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 2**10
        low, middle, high = min(ratios[way]), statistics.median(ratios[way]), max(ratios[way])
        took = statistics.median(seconds[way])
        print(f"{way:26s} {took:6.2f} s  {middle:5.2f} times ({low:.2f} to {high:.2f})  {grown:7.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
