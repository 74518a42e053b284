"""WithinLayer: weights from the input of the layer, by principal components or cluster centers."""

from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.initializers.core._calibrate import Calibrated, LayerCall, normalize_units, write_weight
from initsk.initializers.core._registry import InitializerLike
from initsk.network import Layer
from initsk.utils.validation import one_of
from initsk.utils.words import counted

# More input patches hardly change the components.
_MAX_PATCHES = 10_000
# Passes of k-means over the patches.
_PASSES = 10
# Components of a smaller variance, relative to the largest, are rounding.
_MIN_VARIANCE = 1e-6


class WithinLayer(Calibrated):
    """Compute the weights from the input of the layer on a batch, then give each unit mean 0 and variance 1.

    Parameters
    ----------
    method : {"pca", "kmeans"}, default="pca"
        "pca": units are the principal components of the layer's input patches. "kmeans": units are
        the centers of clusters of the whitened patches.
    base : str, Initializer or callable, default="he_normal"
        The initializer of weights without input patches: embeddings, recurrent and attention layers, transposed
        convolutions, bilinear and complex layers. The units of the last three are normalized, too.

    Notes
    -----
    Algorithm (Kraehenbuehl et al. 2016, algorithm 1, and the authors' code), layer by layer in one
    forward pass in evaluation mode: the input patches ``x`` (rows of a linear layer's input; windows of a
    convolution's, group by group) have covariance ``V diag(s) V^T``. With ``P = diag(s)^(-1/2) V^T`` for the largest
    components, as many as there are units, the weights are ``P`` ("pca"), or ``C P`` with the centers ``C`` of
    k-means over the directions of ``P (x - mean(x))`` ("kmeans"; cosine distance, begun by k-means++, 10 passes). Then
    ``w <- w / s`` and ``b <- (b - m) / s`` for a unit whose output has mean ``m`` and standard deviation ``s``.

    If a layer has more units than its input has components (or distinct patches), the other units are
    random directions among the whitened components, ``w = u P`` with ``u`` uniform on the unit sphere; the authors'
    code raises, or draws all units from ``N(0, 1)`` if there are fewer patches than units. A random choice of 10000
    patches is used if there are more. The sign of a component makes its largest weight positive.

    Differences from the authors' code: components of relative variance below 1e-6 are dropped instead of damped;
    patches are read, not reconstructed from random projections; their k-means uses small batches; biases are centered
    at 0, while the authors' command line adds 0.1. Their plain draws ("elwise" and "rand") are
    `DataDependentWeightNorm`; their "zca" and algorithm 2, which equalizes the learning rates of layers, are not
    implemented. The decomposition of a layer whose units have `n` inputs takes ``n^3`` steps.

    Raises
    ------
    ModuleError
        By `initialize`, if the input of a layer is constant or not finite.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import WithinLayer
    >>> X = torch.randn(500, 8, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 9)
    >>> layer = torch.nn.Linear(8, 3)
    >>> record = initialize(layer, WithinLayer(), X=X, random_state=0)
    >>> layer.weight.abs().argmax(dim=1).tolist()
    [7, 6, 5]
    """

    name = "within_layer"
    synonyms = ("krahenbuhl", "magic_init")
    formula = "w = principal components or cluster centers of the input, units to mean 0 and variance 1"
    reference = "Kraehenbuehl et al. 2016, algorithm 1"
    parameter_constraints = {"method": one_of("method", ("pca", "kmeans"))}

    def __init__(self, method: str = "pca", base: InitializerLike = "he_normal") -> None:
        self.method = method
        self.base = base

    def _adjust(self, call: LayerCall) -> None:
        module = call.layer.module
        weight = call.layer.weight
        if call.layer.spec.transposed or isinstance(module, nn.Bilinear) or weight.is_complex():
            call.note("weight", "has no input patches, directions as drawn")
        else:
            generator = call.network.generator(call.layer.name, "within layer")
            groups = call.layer.spec.groups
            patches = _input_patches(call.layer, call.inputs[0], generator).chunk(groups, dim=1)
            rows = [self._units(call, part.flatten(1), len(weight) // groups, generator) for part in patches]
            write_weight(call.scheme, call.layer, torch.cat(rows).reshape(weight.shape).to(weight))
            n_patches = counted(len(patches[0]), "input patch", "input patches")
            call.note("weight", f"units by {self.method} of {n_patches}")
            call.repeat()
        normalize_units(call)

    def _units(self, call: LayerCall, patches: torch.Tensor, n_units: int, generator: torch.Generator) -> torch.Tensor:
        """Return the weights of one group, ``(n_units, n_columns)``."""
        patches = patches.cpu().double()
        patches = patches - patches.mean(dim=0)
        whitening = _whitening(patches, n_units)
        if len(whitening) == 0:
            raise ModuleError(
                f"{call.scheme}: the input of {call.where} is constant (allowed: a batch in which it varies)"
            )
        if self.method == "pca":
            combinations = torch.eye(len(whitening), dtype=torch.float64, device="cpu")
        else:
            combinations = _centers(patches @ whitening.T, n_units, generator)
        rest = (n_units - len(combinations), len(whitening))
        noise = torch.randn(rest, generator=generator, dtype=torch.float64, device="cpu")
        return torch.cat([combinations, _directions(noise)]) @ whitening


def _whitening(patches: torch.Tensor, max_components: int) -> torch.Tensor:
    """Return the principal directions divided by their standard deviations, in descending order of variance."""
    variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
    variances, directions = variances.flip(0)[:max_components], directions.flip(1)[:, :max_components]
    kept = variances > max(_MIN_VARIANCE * float(variances[0]), 0.0)
    directions = directions[:, kept]
    if directions.shape[1] == 0:
        return directions.T
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    return (directions * largest.sign() / variances[kept].sqrt()).T


def _centers(whitened: torch.Tensor, n_units: int, generator: torch.Generator) -> torch.Tensor:
    """Return the cluster centers of the patches' directions, at most one for each distinct direction."""
    directions = _directions(whitened[whitened.norm(dim=1) > 0]).float().unique(dim=0)
    centers = _spread(directions, min(n_units, len(directions)), generator)
    for _ in range(_PASSES):
        nearest = (directions @ centers.T).argmax(dim=1)
        sums = torch.zeros_like(centers).index_add_(0, nearest, directions)
        # A center does not change if its cluster is empty or its directions cancel.
        centers = torch.where(sums.norm(dim=1, keepdim=True) > 1e-3, _directions(sums), centers)
    return centers.double()


def _spread(directions: torch.Tensor, number: int, generator: torch.Generator) -> torch.Tensor:
    """Choose rows at random, with a preference for rows far from those already chosen (k-means++)."""
    distance = torch.ones(len(directions), device="cpu")
    chosen: list[int] = []
    for _ in range(number):
        chosen.append(int(torch.multinomial(distance, 1, generator=generator)))
        distance = torch.minimum(distance, (1 - directions @ directions[chosen[-1]]).clamp_min(1e-6))
        distance[chosen[-1]] = 0
    return directions[chosen]


def _directions(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def _input_patches(layer: Layer, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the input patches of the units, ``(n_patches, in)`` or ``(n_patches, in, *kernel)``."""
    module: Any = layer.module
    if isinstance(module, nn.Linear):
        rows = inputs.reshape(-1, module.in_features)
        return rows[_chosen(len(rows), generator).to(rows.device)]
    spatial = len(module.kernel_size)
    windows = _pad(module, inputs if inputs.dim() > spatial + 1 else inputs.unsqueeze(0))
    steps = zip(module.kernel_size, module.stride, module.dilation, strict=True)
    for axis, (size, stride, dilation) in enumerate(steps, 2):
        # `unfold` makes a view: only the chosen windows are copied.
        windows = windows.unfold(axis, dilation * (size - 1) + 1, stride)[..., ::dilation]
    sizes = (len(windows), *windows.shape[2 : 2 + spatial])
    # By numpy: torch's function imports sympy, which takes longer than the whole initialization.
    chosen = np.unravel_index(_chosen(prod(sizes), generator).numpy(), sizes)
    sample, *position = (torch.from_numpy(axis).to(windows.device) for axis in chosen)
    index: Any = (sample, slice(None), *position)
    return windows[index]


def _pad(module: Any, inputs: torch.Tensor) -> torch.Tensor:
    """Return the inputs, padded as the convolution pads them."""
    edges: list[int] = []
    for axis in reversed(range(len(module.kernel_size))):
        if isinstance(module.padding, str):
            total = module.dilation[axis] * (module.kernel_size[axis] - 1) if module.padding == "same" else 0
            edges += [total // 2, total - total // 2]
        else:
            edges += [module.padding[axis]] * 2
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    return nn.functional.pad(inputs, edges, mode=mode) if any(edges) else inputs


def _chosen(number: int, generator: torch.Generator) -> torch.Tensor:
    """Return the indices of all patches, or of `_MAX_PATCHES` random ones."""
    if number <= _MAX_PATCHES:
        return torch.arange(number, device="cpu")
    return torch.randperm(number, generator=generator, device="cpu")[:_MAX_PATCHES]
