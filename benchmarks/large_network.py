"""Time and memory of a diagnosis of ResNet-50 at 224 pixels, against training steps with batches of the same size.

Each line is a fresh process. Memory is the growth of the peak of the process (ru_maxrss) over the network and its data.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from initsk import diagnose
from tests.zoo.operators import define_missing_operators

CASES = ("steps", "diagnose", "diagnose, no trial")


def peak():
    """Return the largest memory of the process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def steps(module, X, y, batch_size, n_steps):
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
    for number in range(n_steps):
        rows = [(number * batch_size + row) % len(X) for row in range(batch_size)]
        loss = torch.nn.functional.cross_entropy(module(X[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def child(case, batch_size, n_steps, n_samples):
    """Print seconds and memory of a case."""
    define_missing_operators()
    from torchvision.models import resnet50

    torch.manual_seed(0)
    module, X, y = resnet50(num_classes=10), torch.randn(n_samples, 3, 224, 224), torch.arange(n_samples) % 10
    before, start = peak(), time.perf_counter()
    if case == "steps":
        steps(module, X, y, batch_size, n_steps)
    else:
        optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
        n_trial = n_steps if case == "diagnose" else 0
        diagnose(module, X, y, optimizer=optimizer, batch_size=batch_size, trial_steps=n_trial, budget=2 * n_steps)
    print(time.perf_counter() - start, peak() - before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--child", choices=CASES)
    options = parser.parse_args()
    sizes = options.batch_size, options.steps, options.samples
    if options.child is not None:
        child(options.child, *sizes)
        return
    found = {}
    for case in CASES:
        given = zip(("--batch-size", "--steps", "--samples"), map(str, sizes), strict=True)
        command = [sys.executable, __file__, "--child", case, *(part for pair in given for part in pair)]
        found[case] = tuple(
            map(float, subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())
        )
        ratios = [value / first for value, first in zip(found[case], found["steps"], strict=True)]
        print(
            f"{case:20} {found[case][0]:.1f} s ({ratios[0]:.2f}), {found[case][1]:.2f} GiB ({ratios[1]:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
