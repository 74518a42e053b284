"""Families of torch's layers; each includes the layers that users derive from the family's base class."""

from torch import nn


def of_each_dimension(*names: str) -> tuple[type[nn.Module], ...]:
    """Return torch's layers of a name for signals of one, two and three dimensions.

    Examples
    --------
    >>> [kind.__name__ for kind in of_each_dimension("Conv")]
    ['Conv1d', 'Conv2d', 'Conv3d']
    """
    return tuple(getattr(nn, f"{name}{dimensions}d") for name in names for dimensions in (1, 2, 3))


def with_common_base(*kinds: type[nn.Module]) -> tuple[type[nn.Module], ...]:
    """Return the given classes and their closest common base class, unless that is `torch.nn.Module`.

    torch's layers of one family share a base class without a public name, from which other libraries derive layers.

    Examples
    --------
    >>> issubclass(nn.Conv2d, with_common_base(nn.Conv1d, nn.Conv3d))
    True
    >>> with_common_base(nn.Linear, nn.Conv1d) == (nn.Linear, nn.Conv1d)
    True
    """
    closest = next(base for base in kinds[0].__mro__ if all(issubclass(kind, base) for kind in kinds))
    return kinds if closest is nn.Module else (*kinds, closest)


_PLAIN_CONVOLUTIONS = of_each_dimension("Conv", "ConvTranspose")
#: Layers that are affine in their weight and bias.
AFFINE = (nn.Linear, nn.Bilinear, *_PLAIN_CONVOLUTIONS)
CONVOLUTIONS = with_common_base(*_PLAIN_CONVOLUTIONS)
BATCH_NORM_LAYERS = with_common_base(*of_each_dimension("BatchNorm"), nn.SyncBatchNorm)
BATCH_OR_INSTANCE_NORM_LAYERS = with_common_base(*BATCH_NORM_LAYERS, *of_each_dimension("InstanceNorm"))
NORM_LAYERS = (*BATCH_OR_INSTANCE_NORM_LAYERS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)


def untrained_norms(module: nn.Module) -> list[nn.Module]:
    """Return the layers of batch normalization with running moments that no batch has changed.

    Examples
    --------
    >>> import torch
    >>> layer = nn.BatchNorm1d(2)
    >>> len(untrained_norms(layer))
    1
    >>> _ = layer(torch.eye(2))
    >>> len(untrained_norms(layer))
    0
    """
    return [
        part
        for part in module.modules()
        if isinstance(part, BATCH_NORM_LAYERS) and part.track_running_stats and _has_first_moments(part)
    ]


def _has_first_moments(norm: nn.Module) -> bool:
    # Files of older versions have no number of batches.
    first = {"running_mean": 0, "running_var": 1, "num_batches_tracked": 0}
    return all(bool((buffer == first[name]).all()) for name, buffer in norm.named_buffers() if name in first)
