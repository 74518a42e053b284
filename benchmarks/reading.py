"""Time the reading of networks and plain forward passes of the same input in turn.

Prints medians, and the median of the ratios within a round with its spread.
"""

import argparse
import statistics

import torch
from initialization import depthwise_network, seconds
from torch import nn

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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, module, x in networks():
        module.eval()
        pairs = []
        for _ in range(rounds + 1):
            plain = seconds(forward, module, x)
            pairs.append((seconds(network.read, module, x), plain))
        # The first round fills caches.
        readings, passes = zip(*pairs[1:], strict=True)
        ratios = [reading / plain for reading, plain in pairs[1:]]
        print(
            f"{name}: reading {1e3 * statistics.median(readings):.0f} ms, forward pass"
            f" {1e3 * statistics.median(passes):.1f} ms, ratio median {statistics.median(ratios):.1f},"
            f" from {min(ratios):.1f} to {max(ratios):.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
