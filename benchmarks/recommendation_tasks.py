"""The tasks that measure recommendations: networks of the families of `trainability`, with data and an optimizer."""

import sys
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "trainability"))

from configurations import build, data_of

#: Samples of each data set that are held out: one half chooses the learning rate, the other half is scored.
HELD_OUT = {"digits": 1000, "mnist": 6000, "photos": 6000, "text": 2000, "friedman": 6000}
#: Learning rates of each optimizer.
RATES = {"adam": (1e-3, 3e-3, 1e-2, 3e-2, 0.1), "momentum": (3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)}
#: "default" leaves the network as its layers build themselves.
INITIALIZERS = (
    "default", "auto", "he_normal", "he_uniform", "glorot_uniform", "glorot_normal", "lecun_normal", "orthogonal",
)  # fmt: skip


def _task(steps, family, data, optimizer, activation="tanh", **shape):
    """Return a task as a dictionary like those of `configurations.configuration`."""
    kind = shape.get("kind", activation).lower()
    name = f"{family} {data} {kind} {shape.get('depth', 3)} {optimizer}"
    if shape.get("norm", "none") != "none":
        name += f" {shape['norm']}"
    common = {
        "dropout": 0.0,
        "share": 1.0,
        "norm": "none",
        "zero_last": False,
        "factor": 1.0,
        "initializer": "as_built",
    }
    parts = {"family": family, "data": data, "optimizer": optimizer, "activation": activation, "steps": steps}
    return {"task": name, **common, **parts, "held_out": HELD_OUT[data], "weight_decay": 0.0, **shape}


#: Numbers of steps and sizes are such that a training takes about two seconds.
TASKS = {
    task["task"]: task
    for task in (
        _task(400, "mlp", "digits", "adam", "relu", depth=3, width=64),
        _task(400, "mlp", "mnist", "adam", "tanh", depth=10, width=64),
        _task(400, "mlp", "mnist", "adam", "relu", depth=12, width=64),
        _task(400, "mlp", "photos", "momentum", "relu", depth=5, width=128),
        _task(400, "mlp", "digits", "adam", "sigmoid", depth=5, width=64),
        _task(200, "mlp", "friedman", "adam", "gelu", depth=4, width=64),
        _task(400, "mlp", "mnist", "momentum", "selu", depth=6, width=64, norm="batch"),
        _task(400, "residual_mlp", "mnist", "adam", "relu", depth=21, width=64),
        _task(400, "residual_mlp", "photos", "momentum", "gelu", depth=11, width=64, norm="layer"),
        _task(200, "residual_mlp", "friedman", "adam", "tanh", depth=9, width=64),
        _task(400, "small_cnn", "mnist", "adam", "relu"),
        _task(400, "small_cnn", "mnist", "momentum", "tanh"),
        _task(400, "small_cnn", "digits", "adam", "relu"),
        _task(250, "deep_cnn", "mnist", "adam", "relu", depth=6, width=8),
        _task(250, "deep_cnn", "mnist", "momentum", "tanh", depth=6, width=8),
        _task(250, "deep_cnn", "photos", "adam", "relu", depth=8, width=8, norm="batch"),
        _task(250, "residual_cnn", "mnist", "adam", "relu", depth=12, width=8),
        _task(250, "residual_cnn", "photos", "momentum", "relu", depth=8, width=8, norm="batch"),
        _task(250, "residual_cnn", "mnist", "momentum", "silu", depth=8, width=8),
        _task(300, "pre_norm", "mnist", "adam", "gelu", depth=3, width=32),
        _task(200, "pre_norm", "text", "adam", "gelu", depth=2, width=32),
        _task(300, "pre_norm", "photos", "momentum", "relu", depth=2, width=32),
        _task(300, "post_norm", "mnist", "adam", "relu", depth=3, width=32),
        _task(200, "post_norm", "text", "adam", "gelu", depth=2, width=32),
        _task(300, "recurrent", "mnist", "adam", kind="LSTM", depth=1, width=64),
        _task(200, "recurrent", "text", "adam", kind="GRU", depth=1, width=64),
        _task(300, "recurrent", "digits", "adam", kind="GRU", depth=2, width=32),
        _task(300, "graph", "digits", "adam", "relu", kind="sage", depth=3, width=32),
        _task(300, "graph", "mnist", "adam", "tanh", kind="gin", depth=3, width=32),
        _task(400, "graph", "digits", "adam", "relu", kind="gcn", depth=2, width=32),
    )
}


def initializers_of(task):
    """Return the initializers of a task: networks with branches get a residual scheme of the package too."""
    found = TASKS[task]
    if found["family"] in ("pre_norm", "post_norm"):
        return (*INITIALIZERS, "depth_scaled_residual")
    if found["family"] in ("residual_mlp", "residual_cnn"):
        return (*INITIALIZERS, "fixup" if found["norm"] == "none" else "zero_last_in_branch")
    return INITIALIZERS


def network(task, seed):
    """Return the network of a task as it is built with a seed."""
    return build({**TASKS[task], "number": seed})


@lru_cache(maxsize=1)
def samples(task):
    """Return X and y for training, for choosing the learning rate, and for scoring."""
    X, y, X_held, y_held = data_of(TASKS[task])
    half = len(X_held) // 2
    return X, y, X_held[:half], y_held[:half], X_held[half:], y_held[half:]
