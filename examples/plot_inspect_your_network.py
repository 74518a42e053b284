"""
What is wrong with your network?
================================

Two networks in plain torch are inspected before training. A residual network for images uses an in-place ReLU and
``torch.nn.functional.leaky_relu``; the inspection captures the values before and after both. Its weights are too small.
The findings report this, with advice; with the recommended initializer there are no findings. A Transformer reads
padded sequences. With ``padding_mask``, its statistics are those of the real positions, for any length of the padding.
Writes ``reports/examples/inspect_your_network.png``, with the gradients of the image network along depth, and three
other pictures.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from initsk import initialize, inspect_activations
from initsk.displays import DepthDisplay, LayerStripDisplay
from initsk.report import describe_findings

COLUMNS = ["layer", "position", "function", "mean", "std", "zero_fraction", "dead_fraction"]


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        branch = self.second(self.relu(self.first(x)))
        return functional.leaky_relu(x + branch, 0.1)


class ImageNet(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(inplace=True))
        self.block = Residual(channels)
        self.down = nn.Conv2d(channels, 2 * channels, 3, stride=2)
        self.hidden = nn.Linear(18 * channels, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = functional.leaky_relu(self.down(self.block(self.stem(x))), 0.1)
        return self.head(torch.tanh(self.hidden(x.flatten(1))))


class Reader(nn.Module):
    def __init__(self, n_words=50, width=32, n_layers=3):
        super().__init__()
        self.embed = nn.Embedding(n_words, width, padding_idx=0)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.tag = nn.Linear(width, 5)

    def forward(self, words):
        return self.tag(self.encoder(self.embed(words), src_key_padding_mask=words == 0))


def main(n_images=1000, n_texts=400, longest=24, random_state=0):
    with torch.random.fork_rng():
        torch.manual_seed(random_state)
        images, classes = load_digits(return_X_y=True)
        x = torch.tensor(images[:n_images] / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
        y = torch.tensor(classes[:n_images])
        net = ImageNet()
        initialize(net, "random_normal", random_state=random_state)
        found = {"small weights": inspect_activations(net, x, y, gradients=True)}
        initialize(net, "he_normal", random_state=random_state)
        found["he_normal"] = inspect_activations(net, x, y, gradients=True)

        reader = Reader()
        words = torch.randint(1, 50, (n_texts, longest))
        words[torch.arange(longest) >= torch.randint(4, longest + 1, (n_texts, 1))] = 0
        tags = torch.where(words == 0, -100, words % 5)
        found["reader"] = read(reader, words, tags)
        # The same texts with twice as many positions; the new ones are padding.
        found["longer padding"] = read(
            reader, functional.pad(words, (0, longest)), functional.pad(tags, (0, longest), value=-100)
        )
    show(found)
    draw(found)
    return found


def read(reader, words, tags):
    # Cross-entropy ignores the target -100, so padding does not contribute to the loss.
    def criterion(output, target):
        return functional.cross_entropy(output.flatten(0, 1), target.flatten())

    return inspect_activations(reader, words, tags, gradients=True, criterion=criterion, padding_mask=words == 0)


def show(found):
    print("The network for images, weights of standard deviation 0.01\n")
    print(found["small weights"].to_frame()[COLUMNS].to_string(index=False, float_format="{:.2g}".format))
    for name, summary in found.items():
        print(f"\nFindings: {name}")
        print(f"  {summary.answer()}")
        for line in describe_findings(summary).itertuples():
            print(f"  {line.kind}: {line.evidence} ({line.advice})")
    short, long = (found[name].to_frame()["std"] for name in ("reader", "longer padding"))
    print(f"\nLonger padding changes the standard deviations of layers by {np.abs(long / short - 1).max():.0e} at most")


def draw(found):
    images = {name: found[name] for name in ("small weights", "he_normal")}
    frames = {name: summary.to_frame() for name, summary in images.items()}
    gradients = {name: summary.to_frame("gradients") for name, summary in images.items()}
    pictures = {"": DepthDisplay.from_frames(frames, gradients).plot()}
    for name, key in (("_layers", "he_normal"), ("_text_layers", "reader")):
        display = LayerStripDisplay.from_frames(found[key].histograms(), found[key].to_frame())
        pictures[name] = display.plot(position="both")
    reader = found["reader"]
    pictures["_text"] = DepthDisplay.from_frames(reader.to_frame(), reader.to_frame("gradients")).plot()
    for name, display in pictures.items():
        print(display.save(f"reports/examples/inspect_your_network{name}.png"))


if __name__ == "__main__":
    main()
