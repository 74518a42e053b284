"""Time `initialize` and torch in turn: depthwise convolutions, one orthogonal matrix, and a billion parameters.

Prints seconds and their ratio per round, and the spread. Needs 9 GB of memory at the full size.
"""

import argparse
import statistics
import time

import torch
from torch import nn

from initsk import initialize


def linear_list(n_parameters):
    """Linear layers of 4096 x 4096, with `n_parameters` in total; their memory is allocated before the timing."""
    layers = nn.ModuleList()
    for _ in range(max(1, round(n_parameters / 4096**2))):
        layer = nn.Linear(4096, 4096, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            layer.weight.zero_()
            layer.bias.zero_()
        layers.append(layer)
    return layers


class Bottleneck(nn.Module):
    """A wide depthwise convolution between two narrow ones, with a shortcut where the shapes are equal."""

    def __init__(self, width, inner, outputs, stride):
        super().__init__()
        self.adds = stride == 1 and width == outputs
        layers = []
        for n_in, n_out, kernel, groups in ((width, inner, 1, 1), (inner, inner, 3, inner), (inner, outputs, 1, 1)):
            step = stride if kernel == 3 else 1
            layers.append(nn.Conv2d(n_in, n_out, kernel, step, kernel // 2, groups=groups, bias=False))
            layers += [nn.BatchNorm2d(n_out), nn.ReLU6()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x):
        """Return the output, with the input where it has the same shape."""
        return x + self.layers(x) if self.adds else self.layers(x)


def depthwise_network():
    """Return a network like MobileNetV2 (Sandler et al. 2018), with 7,000 groups of one channel."""
    stages = ((16, 1, 1, 1), (24, 2, 6, 2), (32, 3, 6, 2), (64, 4, 6, 2), (96, 3, 6, 1), (160, 3, 6, 2), (320, 1, 6, 1))
    width, layers = 32, [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()]
    for outputs, repeats, factor, stride in stages:
        for number in range(repeats):
            layers.append(Bottleneck(width, width * factor, outputs, stride if number == 0 else 1))
            width = outputs
    layers += [nn.Conv2d(width, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def torch_reset(module):
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()


def seconds(function, *arguments, **keywords):
    started = time.perf_counter()
    function(*arguments, **keywords)
    return time.perf_counter() - started


def torch_he(layers):
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)


def report(label, pairs):
    ratios = [ours / theirs for ours, theirs in pairs]
    for number, (ours, theirs) in enumerate(pairs, start=1):
        print(f"{label}, round {number}: initsk {ours:.3f} s, torch {theirs:.3f} s, ratio {ours / theirs:.3f}")
    print(
        f"{label}: ratio median {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parameters", type=float, default=1e9)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    network = depthwise_network()
    for name in ("he_normal", "auto"):
        seconds(initialize, network, name)
        pairs = []
        for _ in range(options.rounds):
            theirs = seconds(torch_reset, network)
            pairs.append((seconds(initialize, network, name, random_state=0), theirs))
        report(f"{name}, depthwise convolutions", pairs)
    single = linear_list(1)
    seconds(torch_he, single)
    seconds(initialize, single)
    pairs = []
    for _ in range(options.rounds):
        theirs = seconds(nn.init.orthogonal_, single[0].weight)
        ours = seconds(initialize, single[0], "orthogonal", random_state=0)
        pairs.append((ours, theirs))
    report("orthogonal 4096 x 4096", pairs)
    layers = linear_list(options.parameters)
    total = sum(parameter.numel() for parameter in layers.parameters())
    pairs = []
    for _ in range(options.rounds):
        theirs = seconds(torch_he, layers)
        ours = seconds(initialize, layers, "he_normal", random_state=0)
        pairs.append((ours, theirs))
    report(f"he_normal, {total / 1e9:.2f} billion parameters", pairs)


if __name__ == "__main__":
    main()
