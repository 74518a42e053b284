"""Train the networks of tests/zoo: as their libraries build them, broken on purpose, and initialized by "auto".

The trainings are the truth for the diagnosis, which says before training whether a network will train. Every training
is a row in results/defaults_training.csv, appended at once; after an interruption, the script continues from there.
It needs the extra `zoo`, and takes some hours on one core. `broken` and `load` are for other scripts.
"""

import argparse
import csv
import itertools
import math
import sys
import time
import warnings
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from initsk import initialize
from initsk.network import loss_of, scores_of

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.zoo.defaults import default_rows
from tests.zoo.table import built, isolated
from tests.zoo.tasks import IGNORED, N_SAMPLES, baseline_loss, batch_of, size_of, task_of

TABLE = Path(__file__).parent / "results" / "defaults_training.csv"
MILESTONES = (32, 64, 100)
N_MEASURED = 128
#: A training succeeds if its loss, in training or in evaluation mode, falls below this share of the baseline loss.
SUCCESS = 0.8
BROKEN = ("times 10", "times 0.1", "zeros", "gains 0", "dead layer", "NaN weight")
FACTORS = (1.0, 1 / 3, 3.0)
KEY = ["network", "variant", "seed", "lr_factor"]
COLUMNS = [
    *KEY, "package", "family", "parameters", "optimizer", "lr", "n_steps", "baseline", "start",
    *(f"step{number}" for number in MILESTONES), "end", "last10", "accuracy_end", "accuracy_last10", "status", "reason",
    "seconds",
]  # fmt: skip
LAYERS = (nn.Linear, nn.modules.conv._ConvNd, nn.Embedding, nn.RNNBase)
# Parameters of two axes or more that are no weights of layers: positions, classes, biases, and states.
NOT_WEIGHTS = ("*pos_embed*", "*position*", "*_token*", "*bias*", "*A_log", "*gamma*", "*layer_scale*", "*temperature*")
# Layers of attention and of gates, where a large bias may be harmless.
NOT_HIDDEN = ("*att*", "*[qkv]_proj*", "*.[qkv]", "*_lin", "*.se.*", "*router*", "*embed*", "other")


def load(path=TABLE):
    """Return the table of trainings with the columns `lowest`, `succeeded` and `progress`.

    `lowest` is the loss at the end, in training or in evaluation mode. `progress` is the part of the way from the
    baseline to the loss of the network's default initialization. Errors and variants that do not apply are left out.
    """
    frame = pd.read_csv(path)
    frame = frame[frame["status"].isin(["finished", "diverged"])]
    frame["lowest"] = frame[["last10", "end"]].min(axis=1).where(frame["status"] == "finished")
    frame["succeeded"] = frame["lowest"] < SUCCESS * frame["baseline"]
    usual = frame[(frame["variant"] == "default") & (frame["lr_factor"] == 1)].groupby("network")["lowest"].mean()
    way = frame["baseline"] - frame["network"].map(usual)
    frame["progress"] = ((frame["baseline"] - frame["lowest"]) / way).where(frame["status"] == "finished", 0)
    return frame


def layer_weights(module):
    """Return the weights of a module's layers by name: not those of normalization, positions or class tokens."""
    of_layers = {id(p) for part in module.modules() if isinstance(part, LAYERS) for p in part.parameters(recurse=False)}
    return {
        name: p
        for name, p in module.named_parameters()
        if p.requires_grad and p.squeeze().dim() > 1
        if id(p) in of_layers or not any(fnmatchcase(name, pattern) for pattern in NOT_WEIGHTS)
    }


def normalizations(module):
    """Return the normalization layers that have gains."""
    return [part for part in module.modules() if "Norm" in type(part).__name__ and _gain(part) is not None]


def _gain(part):
    gain = getattr(part, "weight", None)
    return gain if isinstance(gain, nn.Parameter) and gain.squeeze().dim() <= 1 else None


def hidden_layer(module):
    """Return name and layer in the middle of a network's layers before the last one.

    Layers with biases come first, and those of attention and gates are taken only if there are no others.
    """
    layers = [
        (name, part)
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear | nn.modules.conv._ConvNd) or type(part).__name__ in ("Linear", "Conv1D")
        if isinstance(part.weight, nn.Parameter)
    ][:-1]
    layers = [pair for pair in layers if not any(fnmatchcase(pair[0], name) for name in NOT_HIDDEN)] or layers
    layers = [pair for pair in layers if pair[1].bias is not None] or layers
    return layers[len(layers) // 2] if layers else None


@torch.no_grad()
def broken(module, variant):
    """Break a module in place, and return what was done, or None if the variant does not apply to it."""
    weights = layer_weights(module)
    if variant in ("times 10", "times 0.1", "zeros"):
        factor = {"times 10": 10.0, "times 0.1": 0.1, "zeros": 0.0}[variant]
        for weight in weights.values():
            weight.mul_(factor)
        return f"{len(weights)} weights"
    if variant == "gains 0":
        parts = normalizations(module)
        for part in parts:
            # Gemma's layers multiply by one plus the weight.
            _gain(part).fill_(-1.0 if "Gemma" in type(part).__name__ else 0.0)
        return f"{len(parts)} normalizations" if parts else None
    if variant == "NaN weight":
        name, weight = list(weights.items())[len(weights) // 2]
        weight.view(-1)[0] = math.nan
        return name
    found = hidden_layer(module)
    if found is None:
        return None
    name, layer = found
    if layer.bias is None:
        layer.weight.zero_()
        return f"{name}: weight 0"
    layer.bias.fill_(-100.0)
    return f"{name}: bias -100"


def call(module, X):
    """Return a module's output for a tensor, a tuple or a dict of arguments."""
    if isinstance(X, dict):
        return module(**X)
    return module(*X) if isinstance(X, tuple) else module(X)


def accuracy(output, y, task):
    """Return the share of right labels, or NaN for other targets."""
    if y.is_floating_point() or task.criterion is not None:
        return math.nan
    scores = scores_of(output)
    if y.dtype == torch.bool:
        return float(((scores > 0) == y.reshape(scores.shape)).float().mean())
    axis = -1 if scores.shape[:-1] == y.shape else 1
    known = y != IGNORED
    return float((scores.argmax(axis) == y)[known].float().mean())


def evaluate(module, task):
    """Return loss and accuracy in evaluation mode on the first samples, in batches of the task's size."""
    module.eval()
    found = []
    with torch.no_grad():
        for start in range(0, N_MEASURED, task.batch_size):
            X, y = batch_of(task, slice(start, start + task.batch_size))
            output = call(module, X)
            found.append((float(loss_of(output, y, task.criterion)), accuracy(output, y, task)))
            if len(y) == N_SAMPLES:
                break
    module.train()
    return [sum(values) / len(found) for values in zip(*found, strict=True)]


def optimizer_of(module, task, factor):
    parameters, lr = [p for p in module.parameters() if p.requires_grad], factor * task.lr
    if task.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[task.optimizer](parameters, lr=lr)


def batches(task, seed):
    """Yield the rows of each batch; every epoch has another order."""
    draw = torch.Generator().manual_seed(seed)
    order = (torch.randperm(N_SAMPLES, generator=draw).split(task.batch_size) for _ in itertools.count())
    full = (rows for epoch in order for rows in epoch if len(rows) == task.batch_size)
    return itertools.islice(full, task.n_steps)


def train(module, task, seed, factor=1.0):
    """Train a module on its task, and return the measured columns of a row."""
    optimizer = optimizer_of(module, task, factor)
    found, last = {"start": evaluate(module, task)[0], "status": "finished"}, []
    for number, rows in enumerate(batches(task, seed), 1):
        X, y = batch_of(task, rows)
        output = call(module, X)
        loss = loss_of(output, y, task.criterion)
        if not loss.isfinite():
            return found | {"status": "diverged", "reason": f"loss {float(loss)} at step {number}"}
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number > task.n_steps - 10:
            last.append((float(loss), accuracy(output, y, task)))
        if number in MILESTONES and number < task.n_steps:
            found[f"step{number}"] = evaluate(module, task)[0]
    found["end"], found["accuracy_end"] = evaluate(module, task)
    found["last10"], found["accuracy_last10"] = (sum(values) / len(last) for values in zip(*last, strict=True))
    if task.n_steps in MILESTONES:
        found[f"step{task.n_steps}"] = found["end"]
    return found


def training(row, task, variant, seed, factor):
    """Return a row of the table: a training, or why there is none."""
    found = {"network": row.name, "variant": variant, "seed": seed, "lr_factor": f"{factor:.4g}"}
    found |= {"package": row.package, "family": row.family, "optimizer": task.optimizer, "n_steps": task.n_steps}
    found |= {"lr": f"{factor * task.lr:.4g}", "baseline": baseline_loss(task)}
    start = time.perf_counter()
    try:
        module = built(row, seed)
        found["parameters"] = size_of(module)
        with isolated(seed):
            if variant == "auto":
                initialize(module, "auto", X=batch_of(task, slice(32))[0], random_state=seed)
            if variant in BROKEN:
                done = broken(module, variant)
                if done is None:
                    return found | {"status": "not applicable"}
                found["reason"] = done
            trained = train(module.train(), task, seed, factor)
            reasons = [text for text in (found.get("reason"), trained.pop("reason", None)) if text]
            found |= trained | {"reason": "; ".join(reasons)}
    except Exception as error:
        found |= {"status": "error", "reason": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    return found | {"seconds": round(time.perf_counter() - start, 2)}


def plan(variants, factors=FACTORS):
    """Yield variant, seed and factor of the learning rate: the defaults, then the broken ones, then "auto"."""
    if "default" in variants:
        yield from (("default", seed, 1.0) for seed in range(2))
    yield from ((variant, 0, 1.0) for variant in BROKEN if variant in variants)
    if "auto" in variants:
        yield from (
            (variant, seed, factor) for factor in factors for seed in range(3) for variant in ("default", "auto")
        )


def stages(variants):
    """Return the groups of variants of which each is finished for all networks before the next one begins."""
    groups = (["default"], list(BROKEN), ["auto"])
    return [group for group in ([name for name in names if name in variants] for names in groups) if group]


def append(path, found):
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow({name: f"{x:.6g}" if isinstance(x, float) else x for name, x in found.items()})


def done(path):
    """Return the keys of the trainings in the table; errors are tried again only if their rows are deleted."""
    if not path.exists():
        return set()
    frame = pd.read_csv(path, usecols=KEY)
    return set(zip(frame["network"], frame["variant"], frame["seed"], frame["lr_factor"].round(3), strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names of networks, with * and ?")
    parser.add_argument("--variants", nargs="+", default=["default", *BROKEN, "auto"])
    parser.add_argument("--factors", nargs="+", type=float, default=FACTORS, help="of the learning rate, for auto")
    parser.add_argument("--shard", default="1/1", metavar="i/n", help="train every n-th network, from the i-th on")
    parser.add_argument("--largest", type=float, default=math.inf, help="leave out networks with more parameters")
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    warnings.simplefilter("ignore")
    options.out.parent.mkdir(exist_ok=True)
    shard, n_shards = map(int, options.shard.split("/"))
    rows = [row for row in default_rows() if fnmatchcase(row.name, options.only)]
    sizes = {row.name: size_of(built(row)) for row in rows}
    rows = [row for row in rows if sizes[row.name] <= options.largest]
    rows = sorted(rows, key=lambda row: sizes[row.name])[shard - 1 :: n_shards]
    for group, row in itertools.product(stages(options.variants), rows):
        known, task = done(options.out), None
        for variant, seed, factor in plan(group, options.factors):
            if (row.name, variant, seed, round(factor, 3)) in known:
                continue
            task = task or task_of(row)
            found = training(row, task, variant, seed, factor)
            append(options.out, found)
            known.add((row.name, variant, seed, round(factor, 3)))
            print(*(found.get(name) for name in (*KEY, "baseline", "last10", "end", "status", "seconds")), flush=True)


if __name__ == "__main__":
    main()
