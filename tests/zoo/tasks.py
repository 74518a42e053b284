"""Small learning tasks for the networks of the table: data that fit a network's input and output, and an optimizer.

Everything is drawn from seeds. The rules depend on the form of input and output and on the family, not on the name.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from initsk.network import count_samples, scores_of, take_rows, take_targets
from tests.zoo.table import Architecture, built, run

N_SAMPLES = 256
N_CLASSES = 10
IGNORED = -100
# Sizes of images, of which the smallest is used that a network takes.
IMAGE_SIZES = (32, 64, 96)
# Number of different tokens in a chain, and how often a token is followed by its usual successor.
N_STATES, CERTAINTY = 16, 0.8
Criterion = Callable[[Any, Any], torch.Tensor]


@dataclass(frozen=True)
class Task:
    """Training data for one network, and how to train on them.

    Parameters
    ----------
    X : tensor, tuple or dict of tensors, or list of graphs
        What the network takes, with one row per sample. The nodes of one graph are the samples of graph networks.
    y : tensor
        Labels (integers), yes or no (booleans), or numbers.
    optimizer : {"adam", "adamw", "sgd"}
        SGD has a momentum of 0.9.
    lr : float
    batch_size : int
        A graph is never split, so that its nodes are one batch.
    n_steps : int
    criterion : callable, optional
        A function of output and targets; None if `initsk.network.loss_of` finds the loss.
    baseline : float, optional
        The loss of the best constant prediction where `criterion` is given.
    """

    X: Any
    y: torch.Tensor
    optimizer: str
    lr: float
    batch_size: int
    n_steps: int
    criterion: Criterion | None = None
    baseline: float | None = None


def no_task_reason(row: Architecture) -> str | None:
    """Return why a row has no task, or None."""
    if row.family == "detection":
        return "a detector needs boxes as targets, matched to its predictions, and its own loss for them"
    if row.family == "adapter":
        return "an adapter trains a few factors of a frozen network, which is random here instead of pretrained"
    return None


def task_of(row: Architecture, seed: int = 0) -> Task:
    """Return the task of a row.

    Raises
    ------
    ValueError
        If the row has none (see `no_task_reason`).
    """
    reason = no_task_reason(row)
    if reason is not None:
        raise ValueError(f"{row.name} has no task: {reason}")
    module = built(row)
    draw = torch.Generator().manual_seed(seed)
    X, y = _data(row, module, draw)
    task = Task(X, y, *_optimizer(row, module), *_length(row, module))
    if row.family == "vision and language":
        return replace(task, criterion=contrastive_loss, baseline=math.log(task.batch_size))
    return task


def batch_of(task: Task, rows: torch.Tensor | slice) -> tuple[Any, Any]:
    """Return X and y of some samples; a graph is returned as a whole."""
    if isinstance(task.X, list):
        from torch_geometric.data import Batch

        graphs = Batch.from_data_list([task.X[i] for i in torch.arange(len(task.X))[rows]])
        return {"x": graphs.x, "edge_index": graphs.edge_index, "batch": graphs.batch}, task.y[rows]
    n_samples = count_samples(task.X)
    if n_samples is None:
        return task.X, task.y
    return take_rows(task.X, rows, n_samples), take_targets(task.y, rows)


def baseline_loss(task: Task) -> float:
    """Return the loss of the best prediction that ignores X: the entropy of the labels, or the variance of numbers."""
    if task.baseline is not None:
        return task.baseline
    y = task.y
    if y.is_floating_point():
        return float((y - y.mean(0)).square().mean())
    shares = y[y != IGNORED].flatten().long().bincount().double()
    shares = shares[shares > 0] / shares.sum()
    return float(-(shares * shares.log()).sum())


def contrastive_loss(output: Any, labels: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of the pairs of a batch; pairs with equal labels fit each other."""
    same = (labels[:, None] == labels).float()
    return functional.cross_entropy(output.logits_per_image, same / same.sum(1, keepdim=True))


def _optimizer(row: Architecture, module: nn.Module) -> tuple[str, float]:
    """Return optimizer and learning rate by family.

    Convolutional networks with batch normalization take SGD, with a rate below the usual 0.05 because their batches are
    small, and lowest with depthwise convolutions. Those without normalization take a small rate of Adam.
    Of all others, small networks take larger steps.
    """
    names = [type(part).__name__ for part in module.modules()]
    has_batch_norm = any("BatchNorm" in name for name in names)
    has_norm = any("Norm" in name for name in names)
    if row.family in ("CNN", "video") and size_of(module) > 5e3 and (has_batch_norm or not has_norm):
        convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
        has_depthwise = any(part.groups == part.in_channels > 1 for part in convolutions)
        return ("sgd", 0.003 if has_depthwise else 0.01) if has_batch_norm else ("adam", 3e-4)
    lr = next(lr for limit, lr in ((5e3, 1e-2), (1e5, 3e-3), (math.inf, 1e-3)) if size_of(module) < limit)
    return "adamw" if (has_norm and not has_batch_norm) or "transformer" in row.family else "adam", lr


def _length(row: Architecture, module: nn.Module) -> tuple[int, int]:
    """Return batch size and number of steps, which are smaller for large networks."""
    lengths = ((1e5, 32, 200), (1e6, 16, 150), (2.5e7, 16, 100), (math.inf, 8, 100))
    return next((size, steps) for limit, size, steps in lengths if size_of(module) < limit)


def size_of(module: nn.Module) -> int:
    """Return the number of values in a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def _data(row: Architecture, module: nn.Module, draw: torch.Generator) -> tuple[Any, torch.Tensor]:
    """Return X and y by the form of a row's input."""
    example = row.inputs()
    if row.family == "graph":
        return _graph_data(example, run(module, example).shape[-1], draw)
    if row.family == "vision and language":
        images, labels = _images(N_CLASSES, (3, 32, 32), draw)
        return {"pixel_values": images, "input_ids": _words(labels, 12, 99, draw)}, labels
    if isinstance(example, dict):
        return _named_data(row, module, example, draw)
    if not example.is_floating_point():
        return _token_data(example, scores_of(run(module, example)).shape, draw)
    shape = example.shape[1:]
    if len(shape) == 3 and row.family != "generator":
        shape = (shape[0], *_smallest_size(module, shape))
    output = scores_of(run(module, example.new_zeros(2, *shape))).shape[1:]
    return _float_data(row, shape, output, draw)


def _named_data(
    row: Architecture, module: nn.Module, example: dict[str, Any], draw: torch.Generator
) -> tuple[Any, torch.Tensor]:
    """Return named arguments and targets: images, noisy images, tokens, sound, or tokens after something else."""
    scores = scores_of(run(module, example)).shape
    if row.family == "diffusion":
        return _noisy_data(example, scores, draw)
    first, *others = example
    if others:
        # An encoder and a decoder: the decoder continues the chain of the encoder.
        given, continued = example[first], example[others[0]].shape[1]
        if given.is_floating_point():
            tokens, y = _chains(scores[-1], continued, draw)
            return {first: _images(N_CLASSES, given.shape[1:], draw)[0], others[0]: tokens}, y
        tokens, y = _chains(scores[-1], given.shape[1] + continued, draw)
        return {first: tokens[:, :-continued], others[0]: tokens[:, -continued:]}, y[:, -continued:]
    if example[first].is_floating_point():
        X, y = _float_data(row, example[first].shape[1:], scores[1:], draw)
        return {first: X}, y
    X, y = _token_data(example[first], scores, draw, masked=row.family == "masked language model")
    takes_mask = "attention_mask" in inspect.signature(module.forward).parameters
    if not takes_mask:
        return {first: X}, y
    mask = torch.ones_like(X)
    if y.dim() == 1:
        # Sequences of different lengths, filled up with padding.
        lengths = torch.randint(X.shape[1] // 2, X.shape[1] + 1, (len(X), 1), generator=draw)
        mask = (torch.arange(X.shape[1]) < lengths).long()
    return {first: X * mask, "attention_mask": mask}, y


def _float_data(
    row: Architecture, shape: tuple[int, ...], output: tuple[int, ...], draw: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return numbers as inputs, and targets of the output's form."""
    if row.family == "operator":
        X = _normal(draw, N_SAMPLES, *shape)
        return X, X + X.roll(1, -1) - X.roll(2, -1)
    if row.family == "generator":
        return _generated(shape, output, draw)
    if row.family == "audio":
        return _sounds(shape[0], output, draw)
    if len(shape) == 3 and len(output) == 3 and shape != output:
        return _segments(shape, output, draw)
    if len(shape) > 2 or (math.prod(shape) > 64 and len(shape) == 1):
        X, labels = _images(output[-1] if len(output) == 1 and shape != output else N_CLASSES, shape, draw)
        return (X, _patterns(N_CLASSES, shape)[labels]) if shape == output else (X, labels)
    X = _normal(draw, N_SAMPLES, *shape)
    if bool((row.inputs() >= 0).all()):
        X = X.abs()
    weight = _normal(draw, shape[-1], output[-1]) / shape[-1] ** 0.5
    if shape == output:
        # One layer's worth of a function for vectors; a mean over the positions for sequences.
        return X, torch.relu(X @ weight) if len(shape) == 1 else X + 8 * X.mean(1, keepdim=True) @ weight
    scores = X @ weight if len(output) == len(shape) else X.mean(1) @ weight
    return X, (scores - scores.mean(0)).argmax(-1)


def _smallest_size(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the smallest usual size of images with which a module runs, at most that of the example."""
    for size in IMAGE_SIZES:
        if size < shape[1]:
            try:
                run(module, torch.zeros(2, shape[0], size, size))
            except Exception:
                continue
            return size, size
    return shape[1], shape[2]


def _normal(draw: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=draw)


def _patterns(n_classes: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a smooth pattern of unit variance for each class; the same for equal arguments."""
    draw = torch.Generator().manual_seed(1)
    if len(shape) != 3:
        # A video repeats the pattern of its first image; other shapes have no neighborhood.
        still = _patterns(n_classes, (shape[0], *shape[2:]))[:, :, None] if len(shape) == 4 else None
        return still.expand(-1, *shape).clone() if still is not None else _normal(draw, n_classes, *shape)
    coarse = _normal(draw, n_classes, shape[0], 4, 4)
    fine = functional.interpolate(coarse, shape[1:], mode="bicubic")
    return fine / fine.std((1, 2, 3), keepdim=True)


def _images(n_classes: int, shape: tuple[int, ...], draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the patterns of classes with noise, and the classes."""
    labels = torch.randint(n_classes, (N_SAMPLES,), generator=draw)
    return _patterns(n_classes, shape)[labels] + 0.5 * _normal(draw, N_SAMPLES, *shape), labels


def _segments(
    shape: tuple[int, ...], output: tuple[int, ...], draw: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images with smooth regions of noisy colors, and the region of each pixel; True and False for one score."""
    n_classes = max(output[0], 2)
    coarse = _normal(draw, N_SAMPLES, n_classes, 3, 3)
    labels = functional.interpolate(coarse, output[1:], mode="bicubic").argmax(1)
    colors = _normal(draw, n_classes, shape[0])[labels].movedim(-1, 1)
    X = functional.interpolate(colors, shape[1:]) + 0.3 * _normal(draw, N_SAMPLES, *shape)
    return X, labels if output[0] > 1 else labels[:, None].bool()


def _generated(
    shape: tuple[int, ...], output: tuple[int, ...], draw: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random codes, and images that are smooth functions of them, from -1 to 1."""
    codes = _normal(draw, N_SAMPLES, *shape)
    return codes, torch.tanh(torch.einsum("nk,kchw->nchw", codes.flatten(1), _patterns(shape[0], output)) / 2)


def _sounds(length: int, output: tuple[int, ...], draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tones of four pitches with noise, and the pitch, at every position if the output has positions."""
    labels = torch.randint(4, (N_SAMPLES,), generator=draw)
    pitches, phases = 0.05 * 2.0 ** labels[:, None], 2 * math.pi * torch.rand(N_SAMPLES, 1, generator=draw)
    X = torch.sin(pitches * torch.arange(length) + phases) + 0.2 * _normal(draw, N_SAMPLES, length)
    return X, labels[:, None].expand(-1, output[0]).clone() if len(output) == 2 else labels


def _token_data(
    example: torch.Tensor, scores: tuple[int, ...], draw: torch.Generator, masked: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and their class, the class of each token, or the next token; masked ones have to be filled in."""
    length, vocabulary = example.shape[1], int(example.max()) + 1
    if len(scores) == 2:
        labels = torch.randint(scores[-1], (N_SAMPLES,), generator=draw)
        return _words(labels, length, vocabulary, draw), labels
    if masked:
        # Each sequence has three different tokens, so that those that are seen tell much about those that are not.
        labels = torch.randint(5, (N_SAMPLES, 1), generator=draw)
        tokens = 3 + 3 * labels + torch.randint(3, (N_SAMPLES, length), generator=draw)
        hidden = torch.rand(tokens.shape, generator=draw) < 0.3
        return tokens.masked_fill(hidden, 2), tokens.masked_fill(~hidden, IGNORED)
    tokens, following = _chains(vocabulary, length, draw)
    return tokens, tokens % scores[-1] if scores[-1] < vocabulary else following


def _words(labels: torch.Tensor, length: int, vocabulary: int, draw: torch.Generator) -> torch.Tensor:
    """Return sequences in which every second token is, on average, one of three that are typical of the class."""
    common = torch.randint(3, vocabulary, (len(labels), length), generator=draw)
    typical = 3 + 3 * labels[:, None] + torch.randint(3, (len(labels), length), generator=draw)
    return torch.where(torch.rand(common.shape, generator=draw) < 0.5, typical, common)


def _chains(vocabulary: int, length: int, draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sequences of a Markov chain of a few tokens, and the token that follows each."""
    states = 3 + torch.randperm(vocabulary - 3, generator=draw)[:N_STATES]
    successors = torch.arange(1, N_STATES + 1) % N_STATES
    chain = [torch.randint(N_STATES, (N_SAMPLES,), generator=draw)]
    for _ in range(length):
        other = torch.randint(N_STATES, (N_SAMPLES,), generator=draw)
        usual = torch.rand(N_SAMPLES, generator=draw) < CERTAINTY
        chain.append(torch.where(usual, successors[chain[-1]], other))
    tokens = states[torch.stack(chain, 1)]
    return tokens[:, :-1], tokens[:, 1:]


def _noisy_data(
    example: dict[str, Any], scores: tuple[int, ...], draw: torch.Generator
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return patterns with noise, its level as the time, facts of the class as conditions; and the noise."""
    clean, labels = _images(N_CLASSES, scores[1:], draw)
    level = torch.rand(N_SAMPLES, generator=draw)
    noise = _normal(draw, *clean.shape)
    scale = level.view(-1, *[1] * (clean.dim() - 1))
    X = {}
    for name, part in example.items():
        if part.shape == scores:
            X[name] = (1 - scale) * clean + scale * noise
        elif name == "timestep":
            X[name] = (999 * level).to(part.dtype)
        elif name == "class_labels":
            X[name] = labels
        else:
            per_sample = len(part) == len(example["timestep"])
            X[name] = _normal(draw, N_CLASSES, *part.shape[1:])[labels] if per_sample else part
    return X, noise


def _graph_data(example: Any, n_classes: int, draw: torch.Generator) -> tuple[Any, torch.Tensor]:
    """Return nodes on a ring with chords, and the class of each node, which depends on its neighbors too.

    Networks that take the number of a node's graph get a list of rings, and one class for each.
    """
    parts = list(example.values()) if isinstance(example, dict) else list(example)
    n_features = parts[0].shape[1]
    weight = _normal(draw, n_features, n_classes)
    if isinstance(example, dict) and "batch" in example:
        return _ring_list(n_features, weight, draw)
    nodes = torch.arange(N_SAMPLES)
    ends = torch.cat([(nodes + 1) % N_SAMPLES, torch.randperm(N_SAMPLES, generator=draw)])
    starts = nodes.repeat(2)
    edges = torch.stack([torch.cat([starts, ends]), torch.cat([ends, starts])])
    x = _normal(draw, N_SAMPLES, n_features)
    around = torch.zeros_like(x).index_add(0, edges[1], x[edges[0]])
    new = [x, edges, *(torch.arange(edges.shape[1]) % (int(part.max()) + 1) for part in parts[2:])]
    X = dict(zip(example, new, strict=True)) if isinstance(example, dict) else tuple(new)
    return X, ((x + around) @ weight).argmax(-1)


def _ring_list(n_features: int, weight: torch.Tensor, draw: torch.Generator) -> tuple[list[Any], torch.Tensor]:
    """Return rings of five to twelve nodes, and classes that depend on the mean of each ring's nodes."""
    from torch_geometric.data import Data

    graphs = []
    for _ in range(N_SAMPLES):
        n = int(torch.randint(5, 13, (1,), generator=draw))
        nodes = torch.arange(n)
        edges = torch.stack([torch.cat([nodes, (nodes + 1) % n]), torch.cat([(nodes + 1) % n, nodes])])
        graphs.append(Data(x=_normal(draw, n, n_features) + _normal(draw, n_features), edge_index=edges))
    return graphs, torch.stack([(graph.x.mean(0) @ weight).argmax() for graph in graphs])
