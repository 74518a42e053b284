"""The families of networks of the zoo of trainings."""

import torch
from torch import nn
from torch.nn import functional

from initsk.network import make_activation


def act(name):
    """Return an activation function as a module."""
    return make_activation(torch.sin if name == "sin" else name)


class Residual(nn.Module):
    """Add a branch to its input; `skip` changes the shape of the input."""

    def __init__(self, branch, skip=None):
        super().__init__()
        self.branch, self.skip = branch, skip or nn.Identity()

    def forward(self, x):
        """Return the sum of input and branch."""
        return self.skip(x) + self.branch(x)


def mlp(n_features, n_outputs, *, depth, width, activation, norm, residual, dropout):
    """Return a perceptron; with `residual`, layers after the first one are in branches of two."""
    norms = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}

    def layer(n_in):
        return [nn.Linear(n_in, width), norms[norm](width) if norm != "none" else nn.Identity(), act(activation)]

    parts = [nn.Flatten(), *layer(n_features)]
    if residual:
        parts += [
            Residual(nn.Sequential(*layer(width), nn.Linear(width, width))) for _ in range(max((depth - 1) // 2, 1))
        ]
    else:
        parts += [part for _ in range(depth - 1) for part in layer(width)]
    return nn.Sequential(*parts, nn.Dropout(dropout), nn.Linear(width, n_outputs))


def small_cnn(n_outputs, *, activation, dropout):
    """Return the network of 4,970 parameters of Unterthiner et al. (2020): three convolutions, then a mean."""
    parts, channels = [], 1
    for _ in range(3):
        parts += [nn.Conv2d(channels, 16, 3, stride=2), act(activation), nn.Dropout(dropout)]
        channels = 16
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, n_outputs))


def _norm2d(name, channels):
    return {"none": nn.Identity, "batch": nn.BatchNorm2d, "group": lambda n: nn.GroupNorm(4, n)}[name](channels)


def deep_cnn(channels_in, n_outputs, *, depth, width, activation, norm, dropout):
    """Return a chain of convolutions; the resolution is halved once."""
    parts, channels = [], channels_in
    for number in range(depth):
        parts += [nn.Conv2d(channels, width, 3, padding=1), _norm2d(norm, width), act(activation)]
        channels = width
        if number == 1:
            parts.append(nn.MaxPool2d(2))
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(dropout),
                         nn.Linear(4 * width, n_outputs))  # fmt: skip


def residual_cnn(channels_in, n_outputs, *, depth, width, activation, norm, zero_last, dropout):
    """Return a network of branches of two convolutions; with `zero_last`, every branch begins as zero."""

    def block():
        branch = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), _norm2d(norm, width), act(activation),
            nn.Conv2d(width, width, 3, padding=1), _norm2d(norm, width),
        )  # fmt: skip
        return Residual(branch)

    parts = [nn.Conv2d(channels_in, width, 3, stride=2, padding=1), _norm2d(norm, width), act(activation)]
    for _ in range(depth):
        parts += [block(), act(activation)]
    net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(dropout),
                        nn.Linear(4 * width, n_outputs))  # fmt: skip
    net.begin_as_zero = [part.branch[-1 if norm != "none" else -2] for part in net if isinstance(part, Residual)]
    net.begin_as_zero = net.begin_as_zero if zero_last else []
    return net


class Transformer(nn.Module):
    """A Transformer on tokens or on patches; `pre_norm` says where it normalizes."""

    def __init__(self, n_outputs, length, n_features, *, depth, width, activation, pre_norm, dropout, causal):
        super().__init__()
        self.causal = causal
        self.embed = nn.Embedding(n_features, width) if causal else nn.Linear(n_features, width)
        self.positions = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList([TransformerBlock(width, activation, pre_norm, dropout) for _ in range(depth)])
        self.norm = nn.LayerNorm(width) if pre_norm else nn.Identity()
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x):
        """Return scores for each position of a text, and for each image."""
        if not self.causal:
            x = patches(x, self.embed.in_features)
        h = self.embed(x) + self.positions
        for block in self.blocks:
            h = block(h, self.causal)
        h = self.norm(h)
        return self.head(h if self.causal else h.mean(1))


class TransformerBlock(nn.Module):
    """Attention and a perceptron, each in a branch."""

    def __init__(self, width, activation, pre_norm, dropout):
        super().__init__()
        self.pre_norm, self.heads = pre_norm, 4
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.activation, self.down = nn.Linear(width, 4 * width), act(activation), nn.Linear(4 * width, width)
        self.first, self.second, self.dropout = nn.LayerNorm(width), nn.LayerNorm(width), nn.Dropout(dropout)

    def attend(self, x, causal):
        """Return the projected attention of x to itself."""
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.dropout(self.project(mixed.transpose(1, 2).flatten(2)))

    def feed(self, x):
        """Return the perceptron of x."""
        return self.dropout(self.down(self.activation(self.up(x))))

    def forward(self, x, causal):
        """Return x after both branches."""
        if self.pre_norm:
            x = x + self.attend(self.first(x), causal)
            return x + self.feed(self.second(x))
        x = self.first(x + self.attend(x, causal))
        return self.second(x + self.feed(x))


def patches(x, n_features):
    """Return images as sequences of square patches with so many values."""
    size = round((n_features / x.shape[1]) ** 0.5)
    return functional.unfold(x, size, stride=size).transpose(1, 2)


class Recurrent(nn.Module):
    """An LSTM or a GRU on characters, or on the rows of images."""

    def __init__(self, n_outputs, n_features, *, kind, depth, width, dropout, causal):
        super().__init__()
        self.causal = causal
        self.embed = nn.Embedding(n_features, width) if causal else nn.Identity()
        self.cell = getattr(nn, kind)(width if causal else n_features, width, depth, batch_first=True)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(width, n_outputs)

    def forward(self, x):
        """Return scores for each position of a text, and for each image."""
        x = self.embed(x) if self.causal else x.transpose(1, 2).flatten(2)
        h = self.dropout(self.cell(x)[0])
        return self.head(h if self.causal else h[:, -1])


class GraphNet(nn.Module):
    """Convolutions on the grid of an image's pixels as a graph, then the mean over the nodes.

    `kind` is that of Kipf and Welling 2017 ("gcn"), of Hamilton et al. 2017 ("sage"), or of Xu et al. 2019 ("gin").
    """

    def __init__(self, n_outputs, side, channels, *, kind, depth, width, activation, dropout):
        super().__init__()
        self.kind = kind
        self.register_buffer("adjacency", grid(side, kind))
        sizes = [channels + 2] + [width] * depth
        self.layers = nn.ModuleList([nn.Linear(2 * n if kind == "sage" else n, width) for n in sizes[:-1]])
        self.seconds = nn.ModuleList([nn.Linear(width, width) for _ in range(depth if kind == "gin" else 0)])
        self.activation, self.dropout, self.head = act(activation), nn.Dropout(dropout), nn.Linear(width, n_outputs)
        line = torch.linspace(-1, 1, side)
        self.register_buffer("places", torch.cartesian_prod(line, line))

    def forward(self, x):
        """Return scores for each image."""
        h = torch.cat([x.flatten(2).transpose(1, 2), self.places.expand(len(x), -1, -1)], -1)
        for number, layer in enumerate(self.layers):
            gathered = self.adjacency @ h
            h = self.activation(layer(torch.cat([h, gathered], -1) if self.kind == "sage" else gathered))
            if self.kind == "gin":
                h = self.activation(self.seconds[number](h))
        return self.head(self.dropout(h.mean(1)))


def grid(side, kind):
    """Return the matrix that gathers values of neighbors on a grid, normalized as the kind of network wants it."""
    place = torch.cartesian_prod(torch.arange(side), torch.arange(side)).float()
    near = (torch.cdist(place, place) < 1.5).float()
    if kind == "gin":
        return near
    if kind == "sage":
        near = near - torch.eye(len(near))
        return near / near.sum(1, keepdim=True)
    root = near.sum(1).rsqrt()
    return root[:, None] * near * root
