"""Time the reading of networks in turn with plain forward passes of the same input, and with those on fake tensors.

Prints medians, and the medians of the ratios within a round with their spread.
"""

import argparse
import statistics

import torch
from initialization import depthwise_network, seconds
from torch import nn
from torch._subclasses import FakeTensorMode

from initsk import network


def networks():
    """Yield the name, the network and its input."""
    yield "like MobileNetV2", depthwise_network(), torch.randn(2, 3, 32, 32)
    perceptron = [part for _ in range(50) for part in (nn.Linear(256, 256), nn.ReLU())]
    yield "perceptron of 50 layers", nn.Sequential(*perceptron), torch.randn(2, 256)
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 100, enable_nested_tensor=False)
    yield "transformer of 100 layers", encoder, torch.randn(2, 5, 64)


def forward(module, x):
    with torch.no_grad():
        module(x)


def forward_without_values(module, x):
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True) as fake:
        module(fake.from_tensor(x))


def spread(ratios):
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, module, x in networks():
        module.eval()
        jobs = (network.read, forward, forward_without_values)
        times = [[seconds(job, module, x) for job in jobs] for _ in range(rounds + 1)]
        # The first round fills caches.
        reading, plain, fake = (1e3 * statistics.median(column) for column in zip(*times[1:], strict=True))
        print(
            f"{name}: reading {reading:.0f} ms, forward pass {plain:.1f} ms, on fake tensors {fake:.0f} ms;"
            f" ratio to the forward pass {spread([row[0] / row[1] for row in times[1:]])},"
            f" on fake tensors {spread([row[0] / row[2] for row in times[1:]])}",
            flush=True,
        )


if __name__ == "__main__":
    main()
