"""Compare measured mean squares with the predictions of `predict_signal` on networks with branches.

Four networks are written here: a ResNet-18 (evaluation and training mode), a pre-norm and a post-norm Transformer, and
a U-Net. With ``--zoo``, the networks are those of tests/zoo instead, which need the extra `zoo`. Each is drawn several
times, and the mean square at every layer and position that `inspect_activations` reports is compared with the interval
of 99 %.
Writes results/graphs.csv, and results/graphs_zoo.csv with ``--zoo``.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from initsk import initialize, inspect_activations
from initsk.diagnosis import predict_signal
from initsk.exceptions import InitskError

RESULTS = Path(__file__).parent / "results"
KEYS = ["layer", "position"]


class Block(nn.Module):
    """The basic block of a ResNet (He et al. 2016, figure 2)."""

    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        changes = stride > 1 or width_in != width
        self.shortcut = nn.Sequential()
        if changes:
            self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        """Return the sum of the shortcut and the branch."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.shortcut(x) + self.bn2(self.conv2(y)))


def resnet18(width=32):
    """Return a ResNet-18 with half of the original's channels."""
    stem = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    widths = [width, width, 2 * width, 4 * width, 8 * width]
    blocks = [
        Block(widths[stage] if block == 0 else widths[stage + 1], widths[stage + 1], 2 if stage and not block else 1)
        for stage in range(4)
        for block in range(2)
    ]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, 100))


class Encoder(nn.Module):
    """A Transformer's encoder on sequences of vectors."""

    def __init__(self, norm_first, width=128):
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, batch_first=True, norm_first=norm_first)
        self.embedding, self.head = nn.Linear(16, width), nn.Linear(width, 10)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)

    def forward(self, x):
        """Return scores of the mean over the sequence."""
        return self.head(self.encoder(self.embedding(x)).mean(1))


def double(width_in, width):
    """Return two convolutions of a U-Net."""
    first, second = nn.Conv2d(width_in, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


class UNet(nn.Module):
    """A U-Net with two levels (Ronneberger et al. 2015)."""

    def __init__(self, width=32):
        super().__init__()
        self.down1, self.down2, self.bottom = double(3, width), double(width, 2 * width), double(2 * width, 4 * width)
        self.up2, self.up1 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2), nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.join2, self.join1 = double(4 * width, 2 * width), double(2 * width, width)
        self.output = nn.Conv2d(width, 5, 1)

    def forward(self, x):
        """Return scores for every pixel."""
        first = self.down1(x)
        second = self.down2(functional.max_pool2d(first, 2))
        bottom = self.bottom(functional.max_pool2d(second, 2))
        second = self.join2(torch.cat([second, self.up2(bottom)], 1))
        return self.output(self.join1(torch.cat([first, self.up1(second)], 1)))


def networks():
    """Yield name, network, batch, initializer and mode."""
    generator = torch.Generator().manual_seed(0)
    images, sequence = (torch.randn(shape, generator=generator) for shape in ((8, 3, 64, 64), (1, 20, 16)))
    yield "ResNet-18", resnet18(), images[:1], "he_normal", False
    yield "ResNet-18, training", resnet18(), images, "he_normal", True
    yield "pre-norm Transformer", Encoder(True), sequence, "glorot_uniform", False
    yield "post-norm Transformer", Encoder(False), sequence, "glorot_uniform", False
    yield "U-Net", UNet(), images[:1, :, :32, :32], "he_normal", False


def zoo():
    """Yield the same for the networks of tests/zoo, of which the prediction was not developed on any."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.zoo.table import all_rows, built

    for row in all_rows():
        yield f"{row.family}: {row.name}", built(row).eval(), row.inputs(), "glorot_normal", False


def compare(network, X, initializer, training, draws):
    """Return a row per position: predicted mean square, its interval, and the share of the draws inside."""
    frame = predict_signal(network, initializer, X, training=training)
    measured = []
    for seed in range(draws):
        initialize(network, initializer, random_state=seed)
        found = inspect_activations(network, X, measures=(), training=training).to_frame()
        measured.append(found.set_index(KEYS)["rms"] ** 2)
    measured = pd.concat(measured, axis=1)
    frame = frame.drop_duplicates(KEYS).set_index(KEYS)
    frame = frame.reindex(measured.index)
    known = frame["forward"].notna()
    inside = measured.ge(frame["forward_low"], axis=0) & measured.le(frame["forward_high"], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.log(measured).std(axis=1)
        width = np.log(frame["forward_high"] / frame["forward_low"]) / (2 * 2.576)
    return pd.DataFrame(
        {"forward": frame["forward"], "median": measured.median(axis=1), "inside": inside.mean(axis=1).where(known),
         "spread": spread, "predicted_spread": width, "unknown": frame["unknown"]}
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--zoo", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, network, X, initializer, training in zoo() if options.zoo else networks():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                frame = compare(network, X, initializer, training, options.draws)
            except InitskError as error:
                print(f"{name}: {str(error)[:150]}", flush=True)
                continue
            except Exception as error:
                print(f"{name}: crash: {error!r}"[:200], flush=True)
                continue
        known = frame["inside"].notna()
        first = frame.loc[~known, "unknown"].dropna()
        with np.errstate(divide="ignore", invalid="ignore"):
            off = (frame["median"] / frame["forward"])[known & (frame["forward"] > 0)]
        rows.append(
            {"network": name, "positions": len(frame), "known": int(known.sum()), "inside": frame["inside"].mean(),
             "ratio_low": off.quantile(0.05), "ratio_high": off.quantile(0.95),
             "spread": (frame["predicted_spread"] / frame["spread"]).replace(np.inf, np.nan).median(),
             "first_unknown": first.iloc[0] if len(first) else ""}
        )  # fmt: skip
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    options.out.mkdir(exist_ok=True)
    table.to_csv(options.out / ("graphs_zoo.csv" if options.zoo else "graphs.csv"), index=False, float_format="%.4g")
    print(table.round(3).to_string())
    weights = table["known"]
    print("all known positions inside:", round(float((table["inside"] * weights).sum() / weights.sum()), 4))


if __name__ == "__main__":
    main()
