"""The configurations of the zoo of trainings: every one is drawn at random from its family and number."""

from zlib import crc32

import numpy as np
import torch
from data import LENGTH, N_CHARACTERS, load
from networks import GraphNet, Recurrent, Transformer, deep_cnn, mlp, residual_cnn, small_cnn
from torch import nn
from torch.nn import functional

from initsk import get_initializer, initialize
from initsk.initializers import Orthogonal, RandomNormal, RandomUniform, Scaled, TruncatedNormal
from initsk.utils.random import isolated_torch_random

#: Number of configurations of each family. The families of the second line were held out: no rule was made, and no
#: number was fitted, with a look at them.
DEVELOPED = {"mlp": 160, "residual_mlp": 90, "small_cnn": 180, "deep_cnn": 110, "pre_norm": 120, "recurrent": 120}
HELD_OUT = {"residual_cnn": 110, "post_norm": 110, "graph": 110}
FAMILIES = DEVELOPED | HELD_OUT
BATCH = 64
STEPS = 512
#: Steps after which the loss is measured.
MILESTONES = (64, 128, 256, 512)

_DATA = {
    "mlp": ("digits", "mnist", "photos", "cancer", "diabetes"), "residual_mlp": ("digits", "mnist", "photos"),
    "small_cnn": ("mnist", "photos"), "deep_cnn": ("mnist", "photos"), "residual_cnn": ("mnist", "photos"),
    "pre_norm": ("digits", "mnist", "text", "photos"), "post_norm": ("digits", "mnist", "text", "photos"),
    "recurrent": ("digits", "mnist", "text", "photos"), "graph": ("digits", "mnist"),
}  # fmt: skip
_ACTIVATIONS = ("relu", "tanh", "gelu", "sigmoid", "selu", "silu", "sin")
_NAMES = ("glorot_uniform", "glorot_normal", "he_normal", "he_uniform", "lecun_normal", "orthogonal", "torch_default")


def configuration(family, number):
    """Return the configuration of a network as a dictionary of numbers and words.

    Learning rate, weight decay, dropout, the share of the data and the standard deviation of the initializer have the
    ranges of Unterthiner et al. (2020, appendix) for small CNNs. The rates of SGD reach further up.
    """
    random = np.random.default_rng([crc32(family.encode()), number])
    found = {"family": family, "number": number, "data": str(random.choice(_DATA[family]))}
    found["activation"] = str(random.choice(("relu", "tanh") if family == "small_cnn" else _ACTIVATIONS))
    found["optimizer"] = str(random.choice(("sgd", "momentum", "adam", "adamw", "rmsprop")))
    low, high = {"sgd": (3e-3, 1.0), "momentum": (1e-3, 0.3)}.get(found["optimizer"], (1e-4, 5e-2))
    found["lr"] = float(np.exp(random.uniform(np.log(low), np.log(high))))
    found["weight_decay"] = float(np.exp(random.uniform(np.log(1e-8), np.log(1e-2))))
    found["dropout"] = float(random.uniform(0, 0.7)) if random.random() < 0.5 else 0.0
    found["share"] = float(random.choice((0.1, 0.25, 0.5, 1.0)))
    found |= _initializer(random, family)
    found |= {
        "mlp": _mlp, "residual_mlp": _mlp, "small_cnn": lambda random: {}, "deep_cnn": _deep_cnn,
        "residual_cnn": _deep_cnn, "pre_norm": _transformer, "post_norm": _transformer, "recurrent": _recurrent,
        "graph": _graph,
    }[family](random)  # fmt: skip
    return found


def _initializer(random, family):
    kind = random.random()
    if kind < 0.2:
        # As the layers of torch are built.
        return {"initializer": "as_built", "factor": 1.0}
    if kind < (0.7 if family == "small_cnn" else 0.4):
        name = str(random.choice(("normal", "uniform", "truncated", "scaled_orthogonal")))
        return {"initializer": name, "factor": float(np.exp(random.uniform(np.log(1e-3), np.log(0.5))))}
    if kind < 0.43:
        return {"initializer": "zeros", "factor": 1.0}
    factor = 1.0 if random.random() < 0.5 else float(10 ** random.uniform(-1.2, 1.0))
    return {"initializer": str(random.choice(_NAMES)), "factor": factor}


def _mlp(random):
    depth = round(float(np.exp(random.uniform(np.log(2), np.log(30)))))
    norm = str(random.choice(("none", "none", "batch", "layer")))
    return {"depth": depth, "width": int(random.choice((32, 64, 128, 256))), "norm": norm}


def _deep_cnn(random):
    return {
        "depth": int(random.integers(4, 13)), "width": int(random.choice((8, 16))),
        "norm": str(random.choice(("none", "batch", "group"))), "zero_last": bool(random.random() < 0.3),
    }  # fmt: skip


def _transformer(random):
    return {"depth": int(random.choice((1, 2, 4, 6))), "width": int(random.choice((32, 64)))}


def _recurrent(random):
    kind = str(random.choice(("LSTM", "GRU")))
    return {"kind": kind, "depth": int(random.choice((1, 1, 2, 3))), "width": int(random.choice((32, 64)))}


def _graph(random):
    kind = str(random.choice(("gcn", "sage", "gin")))
    return {"kind": kind, "depth": int(random.integers(2, 7)), "width": int(random.choice((32, 64)))}


def data_of(found):
    """Return X and y for training (the configuration's share of it), and X and y that are held out.

    A configuration may have a number of samples that are held out.
    """
    X, y, X_held, y_held = load(found["data"], found.get("held_out"))
    if found["family"] == "small_cnn":
        X, X_held = (functional.interpolate(part.mean(1, keepdim=True), (28, 28)) for part in (X, X_held))
    elif found["data"] == "mnist":
        X, X_held = (functional.adaptive_avg_pool2d(part, _side(found)) for part in (X, X_held))
    kept = max(int(len(X) * found["share"]), 200)
    return X[:kept], y[:kept], X_held, y_held


def _side(found):
    """Return the side of MNIST's images for a family: graphs and sequences of patches are small."""
    return {"graph": 7, "pre_norm": 12, "post_norm": 12}.get(found["family"], 14)


def build(found):
    """Return the network of a configuration at its start."""
    with isolated_torch_random(found["number"]):
        module = _module(found)
    initializer = make_initializer(found)
    if initializer is not None:
        initialize(module, initializer, X=data_of(found)[0][:2], random_state=found["number"])
    for part in getattr(module, "begin_as_zero", []):
        nn.init.zeros_(part.weight)
        nn.init.zeros_(part.bias)
    return module


def make_initializer(found):
    """Return the initializer of a configuration, or None where the network stays as it was built."""
    name, factor = found["initializer"], found["factor"]
    scaled = {
        "as_built": lambda: None, "normal": lambda: RandomNormal(std=factor), "zeros": lambda: "zeros",
        "uniform": lambda: RandomUniform(-(3**0.5) * factor, 3**0.5 * factor),
        "truncated": lambda: TruncatedNormal(std=factor), "scaled_orthogonal": lambda: Orthogonal(gain=4 * factor),
    }  # fmt: skip
    if name in scaled:
        return scaled[name]()
    return get_initializer(name) if factor == 1 else Scaled(get_initializer(name), factor)


def _module(found):
    family, activation = found["family"], found["activation"]
    X, y, *_ = load(found["data"])
    is_text = found["data"] == "text"
    n_outputs = 1 if y.is_floating_point() else N_CHARACTERS if is_text else int(y.max()) + 1
    side = _side(found) if found["data"] == "mnist" else X.shape[-1]
    common = {"activation": activation, "dropout": found["dropout"]}
    sizes = {name: found[name] for name in ("depth", "width") if name in found}
    if family in ("mlp", "residual_mlp"):
        n_features = X.shape[1] * side * side if X.dim() == 4 else X.shape[1]
        return mlp(n_features, n_outputs, norm=found["norm"], residual=family == "residual_mlp", **common, **sizes)
    if family == "small_cnn":
        return small_cnn(n_outputs, **common)
    if family == "deep_cnn":
        return deep_cnn(X.shape[1], n_outputs, norm=found["norm"], **common, **sizes)
    if family == "residual_cnn":
        parts = {"norm": found["norm"], "zero_last": found["zero_last"]}
        return residual_cnn(X.shape[1], n_outputs, **parts, **common, **sizes | {"depth": found["depth"] // 2})
    if family in ("pre_norm", "post_norm"):
        patch = {8: 2, 12: 3, 16: 4}.get(side, 0)
        shape = (LENGTH, N_CHARACTERS) if is_text else ((side // patch) ** 2, X.shape[1] * patch**2)
        return Transformer(n_outputs, *shape, pre_norm=family == "pre_norm", causal=is_text, **common, **sizes)
    if family == "recurrent":
        n_features = N_CHARACTERS if is_text else X.shape[1] * side
        parts = {"kind": found["kind"], "dropout": found["dropout"]}
        return Recurrent(n_outputs, n_features, causal=is_text, **parts, **sizes)
    return GraphNet(n_outputs, side, X.shape[1], kind=found["kind"], **common, **sizes)


def optimizer_of(found, parameters):
    """Return the optimizer of a configuration; weight decay is torch's, decoupled in AdamW only."""
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
    kind = kinds.get(found["optimizer"], torch.optim.SGD)
    momentum = {"momentum": 0.9} if found["optimizer"] == "momentum" else {}
    return kind(parameters, lr=found["lr"], weight_decay=found["weight_decay"], **momentum)


def batches(n_samples, seed, n_steps=STEPS):
    """Return the rows of each batch; every epoch has another order."""
    random = np.random.default_rng(seed)
    size = min(BATCH, n_samples)
    n_epochs = -(-n_steps * size // (n_samples // size * size))
    order = [random.permutation(n_samples)[: n_samples // size * size] for _ in range(n_epochs)]
    return torch.tensor(np.concatenate(order)).split(size)[:n_steps]


def loss_of(output, y):
    """Return the mean loss: cross-entropy of classes or characters, squared error of numbers."""
    if y.is_floating_point():
        return functional.mse_loss(output, y)
    return functional.cross_entropy(output.flatten(0, -2), y.flatten())


def baseline_loss(y):
    """Return the loss of the best constant prediction: the entropy of the classes, or the variance."""
    if y.is_floating_point():
        return float(y.var(correction=0))
    shares = y.flatten().bincount().double() / y.numel()
    return float(-(shares[shares > 0] * shares[shares > 0].log()).sum())
